from __future__ import annotations

from pathlib import Path

import pytest

from napari_tessera.writing import FORMATS, format_of
from napari_tessera.writing.files.formats import OME_ZARR
from napari_tessera.writing.places.endings import ENDINGS, ending_of, endings_of, last_part
from napari_tessera.writing.places.target import parse_target, zarr_target


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_place_and_a_format_are_told_by_the_same_endings(ending: str) -> None:
    for name in (f"a.b{ending}", f"A{ending.upper()}"):
        kind = ENDINGS[ending]
        assert ending_of(name) == ending_of(Path("folder.npy") / name) == ending
        assert parse_target(name).kind == kind
        assert format_of(name).name == ("ome-zarr" if kind in ("zarr", "zip") else kind)
        assert zarr_target(name).zipped == (kind == "zip")


def test_formats_have_all_endings_and_no_others() -> None:
    assert sorted(end for known in FORMATS for end in known.endings) == sorted(ENDINGS)
    assert endings_of("tiff", "npy") == (".tif", ".tiff", ".npy")


@pytest.mark.parametrize(
    "url",
    [
        "https://host/b/a.ome.zarr?sig=abc.tif",
        "s3://bucket/in.tif/a.ome.zarr/",
        "simplecache::memory://b/a.ome.zarr",
    ],
)
def test_of_a_url_its_own_name_counts(url: str) -> None:
    assert last_part(url) == "a.ome.zarr"
    assert parse_target(url).kind == "zarr"
    assert format_of(url) is OME_ZARR


def test_a_question_mark_in_a_local_name_is_a_sign_as_any(tmp_path: Path) -> None:
    for where in (tmp_path / "what?.npy", str(tmp_path / "what?.npy")):
        assert last_part(where) == "what?.npy"
        assert parse_target(where).kind == "npy"
        assert format_of(where).name == "npy"


@pytest.mark.parametrize("name", ["a.png", "a", "", ".zarr.bak", "s3://b/a.png?x.zarr"])
def test_other_endings_are_none(name: str) -> None:
    assert ending_of(name) == ""
    told = []
    for ask in (parse_target, format_of):
        with pytest.raises(ValueError, match=r"unknown ending .*; use \.ome\.zarr, ") as caught:
            ask(name)
        told.append(str(caught.value))
    assert told[0] == told[1]
