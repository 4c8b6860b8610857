from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.prediction.several import Found
from napari_tessera.prediction.several.places import (
    onto_inputs,
    result_places,
    split_name,
)
from napari_tessera.writing.files.formats import FORMATS, OME_TIFF, OME_ZARR

OUT = Path("/out")


def image(relative: str, root: str = "/in") -> Found:
    return Found(f"{root}/{relative}", PurePosixPath(relative))


def field(inside: str, plate: str = "screen.ome.zarr") -> Found:
    return Found(
        f"/in/{plate}/{inside}", PurePosixPath(plate) / inside, plate=f"/in/{plate}", inside=inside
    )


def names(images: list[Found], form: object = OME_ZARR, **settings: bool) -> list[str]:
    places = result_places(images, OUT, form, **settings)  # type: ignore[arg-type]
    return [place.path.relative_to(OUT).as_posix() for place in places]


def test_folders_are_kept_or_left_out() -> None:
    images = [image("a.tif"), image("day2/a.tif"), image("day2/b.ome.tif")]
    assert names(images, OME_TIFF) == [
        "a_denoised.ome.tif",
        "day2/a_denoised.ome.tif",
        "day2/b_denoised.ome.tif",
    ]
    assert names(images, OME_TIFF, keep_folders=False) == [
        "a_tif_denoised.ome.tif",
        "a_tif_2_denoised.ome.tif",
        "b_denoised.ome.tif",
    ]


def test_names_that_differ_by_their_ending_keep_it() -> None:
    images = [image("a.tif"), image("a.ome.tif"), image("A.npy"), image("run 1.5"), image("b.czi")]
    assert names(images) == [
        "a_tif_denoised.ome.zarr",
        "a_ome_tif_denoised.ome.zarr",
        "A_npy_denoised.ome.zarr",
        "run 1.5_denoised.ome.zarr",
        "b_denoised.ome.zarr",
    ]


def test_a_plate_stays_one_as_ome_zarr_and_becomes_a_folder_else() -> None:
    images = [field("B/03/0"), field("B/03/1"), image("x/screen.ome.zarr")]
    assert names(images) == [
        "screen_denoised.ome.zarr/B/03/0",
        "screen_denoised.ome.zarr/B/03/1",
        "x/screen_denoised.ome.zarr",
    ]
    assert result_places(images, OUT, OME_ZARR)[0].plate == OUT / "screen_denoised.ome.zarr"
    assert names(images, OME_TIFF)[:2] == [
        "screen/B_03_0_denoised.ome.tif",
        "screen/B_03_1_denoised.ome.tif",
    ]
    series = Found("/in/a.zarr/1", PurePosixPath("a.zarr/1"), inside="1")
    assert names([series]) == ["a_1_denoised.ome.zarr"]


def test_the_first_free_name_is_taken_where_that_is_asked_for() -> None:
    there = {OUT / "a_denoised.ome.tif", OUT / "a_denoised_1.ome.tif"}
    (place,) = result_places([image("a.tif")], OUT, OME_TIFF, taken=there.__contains__)
    assert place.path == OUT / "a_denoised_2.ome.tif"
    there = {OUT / "screen_denoised.ome.zarr"}
    both = result_places(
        [field("B/03/0"), field("B/03/1")], OUT, OME_ZARR, taken=there.__contains__
    )
    assert {place.plate for place in both} == {OUT / "screen_denoised_1.ome.zarr"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.ome.tif", ("a", ".ome.tif")),
        ("A.OME.TIF", ("A", ".OME.TIF")),
        ("a.b.czi", ("a.b", ".czi")),
        ("run 1.5", ("run 1.5", "")),
        (".tif", (".tif", "")),
        ("noending", ("noending", "")),
    ],
)
def test_endings(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


words = st.text("aAbäÄ._1 ", min_size=1, max_size=4).filter(lambda word: word.strip(". "))
paths = st.lists(st.tuples(words, st.sampled_from(["", ".tif", ".ome.tif", ".npy"])), max_size=8)


@given(paths, st.booleans(), st.sampled_from(FORMATS))
def test_no_two_results_share_a_place_on_any_disk(
    named: list[tuple[str, str]], keep: bool, form: object
) -> None:
    images = [
        image(f"{'f/' if n % 2 else ''}{stem}{ending}", f"/in{n}")
        for n, (stem, ending) in enumerate(named)
    ]
    found = names(images, form, keep_folders=keep)
    assert len({name.casefold() for name in found}) == len(images)
    assert all(name.endswith(form.ending) for name in found)  # type: ignore[attr-defined]
    # a name does not depend on what is on disk, so that a run can be gone on with
    assert found == names(images, form, keep_folders=keep)


def test_no_result_replaces_an_input_or_holds_one() -> None:
    images = [
        Found("/out/a_denoised.ome.zarr", PurePosixPath("a_denoised.ome.zarr")),
        Found("/out/b_denoised.ome.zarr/deep/c.tif", PurePosixPath("c.tif")),
        image("a.tif"),
        image("b.tif"),
        image("d.tif"),
    ]
    places = result_places(images, OUT, OME_ZARR)
    refused = onto_inputs(images, places)
    assert set(refused) == {2, 3}
    assert refused[2] == "a_denoised.ome.zarr would replace an image: choose another output folder"
