"""What is written where, told of a place and options before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from zarr.storage import MemoryStore

from napari_tessera.prediction.saving import SaveOptions
from napari_tessera.writing.ome.metadata import OME_VERSIONS
from napari_tessera.writing.places.endings import ENDINGS


@pytest.mark.parametrize("ending", ENDINGS)
def test_format_and_place_agree_and_only_stores_are_resumed(tmp_path: Path, ending: str) -> None:
    output = SaveOptions().of(tmp_path / f"a{ending}")
    assert output.target.kind == ENDINGS[ending]
    assert output.target.is_zarr == (output.form.name == "ome-zarr")
    assert output.compression == output.form.default_compression
    assert output.resumable == (output.target.kind == "zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "where", ["https://host/b/a.ome.zarr?sig=abc", "s3://bucket/a.zarr/", MemoryStore()]
)
def test_urls_and_stores_are_ome_zarr(where: Any) -> None:
    output = SaveOptions(compression="lz4").of(where)
    assert (output.target.kind, output.form.name, output.compression) == ("zarr", "ome-zarr", "lz4")
    assert output.resumable
    with pytest.raises(ValueError, match=r"no ending of npy|holds OME-Zarr, not npy"):
        SaveOptions(format="npy").of(where)


def test_a_format_that_is_named_decides_what_a_tif_is(tmp_path: Path) -> None:
    for name, kind in (("OME-TIFF", "ome-tiff"), (None, "tiff")):
        output = SaveOptions(format=name).of(tmp_path / "a.tif")
        assert output.target.kind == output.form.name == kind


def test_versions_are_those_that_are_written() -> None:
    for version in OME_VERSIONS:
        assert SaveOptions(ome_version=version).of("a.zarr").form.name == "ome-zarr"
    with pytest.raises(ValueError, match=r"OME-Zarr '0\.6' is not written: use 0\.5 or 0\.4"):
        SaveOptions(ome_version="0.6").of("a.zarr")
    with pytest.raises(ValueError, match=r"ome_version 0\.4 is for OME-Zarr, and .*a\.npy is npy"):
        SaveOptions(ome_version="0.4").of("a.npy")
