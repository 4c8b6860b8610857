"""What is written, opened by software that has nothing to do with ours: tox -e validate."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing import write_ome_zarr
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

ome_zarr_models = pytest.importorskip("ome_zarr_models", reason="tox -e validate has it")
ome_zarr_io = pytest.importorskip("ome_zarr.io", reason="tox -e validate has it")
ome_zarr_reader = pytest.importorskip("ome_zarr.reader", reason="tox -e validate has it")

SIZES = {"S": 2, "T": 2, "C": 2, "Z": 4, "Y": 530, "X": 260}
STEPS = {"T": 2.5, "Z": 0.5, "Y": 0.5, "X": 0.25}
UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}
VERSIONS = ("0.5", "0.4")


def described(axes: str) -> ImageMetadata:
    return ImageMetadata(
        axes,
        scale=tuple(STEPS.get(letter, 1.0) for letter in axes),
        units=tuple(UNITS.get(letter) for letter in axes),
        translation=tuple(4.0 if letter == "Y" else 0.0 for letter in axes),
        channel_names=("DAPI", "GFP") if "C" in axes else None,
    )


def opened(path: Path, version: str) -> Any:
    """The image as ome-zarr-models has it, which checks group, arrays and what they say."""
    image = ome_zarr_models.open_ome_zarr(str(path), version=version)
    assert image.ome_zarr_version == version
    return image


def read(path: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """All levels and what is said of them, as ome-zarr-py reads them."""
    location = ome_zarr_io.parse_url(path, mode="r")
    assert location is not None
    (node,) = ome_zarr_reader.Reader(location)()
    return [np.asarray(level) for level in node.data], node.metadata


def check(path: Path, axes: str, version: str, expected: np.ndarray, n_levels: int) -> Any:
    """Open an image with both; give what ome-zarr-py says of it."""
    image = opened(path, version)
    multiscale = (
        image.ome_attributes.multiscales[0] if version == "0.5" else image.attributes.multiscales[0]
    )
    assert [axis.name for axis in multiscale.axes] == list(axes.lower())
    assert {axis.name: axis.unit for axis in multiscale.axes if axis.name in "zyx"} == {
        letter.lower(): UNITS[letter] for letter in axes if letter in "ZYX"
    }
    assert len(multiscale.datasets) == n_levels
    scale, translation = (t for t in multiscale.datasets[0].coordinateTransformations)
    assert list(scale.scale) == [STEPS.get(letter, 1.0) for letter in axes]
    assert list(translation.translation) == [4.0 if letter == "Y" else 0.0 for letter in axes]
    levels, metadata = read(path)
    assert len(levels) == n_levels
    np.testing.assert_array_equal(levels[0], expected)
    for before, level in pairwise(levels):
        assert level.shape[-2:] == tuple(-(-n // 2) for n in before.shape[-2:])
    return metadata


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("axes", "fold", "sharded"),
    [
        *product(["YX", "ZYX"], [""], [False, True]),
        *product(["CYX"], ["C"], [False, True]),
        *product(["TZYX"], ["Z"], [False, True]),
        *product(["TCZYX"], ["ZC"], [False, True]),
        # chunks of an image serve only where its axes are those on disk
        ("XYTC", "C", False),
    ],
)
def test_finished_and_stopped_images_are_valid_and_read(
    tmp_path: Path, tiled_image: Any, axes: str, fold: str, sharded: bool, version: str
) -> None:
    shape = [SIZES[letter] for letter in axes]
    patch = (200, 200) if "Z" not in axes or "Z" in fold else (4, 200, 200)
    image = tiled_image(axes, shape, patch, (0,) * len(patch), fold=fold, metadata=described(axes))
    order = OmeOrder(axes, image.region.selected_shape)
    disk = order.disk_axes
    run: dict[str, Any] = {}
    if sharded:
        run["source_chunks"] = tuple(128 if letter in "YX" else 1 for letter in disk)
        run["source_shards"] = tuple(256 if letter in "YX" else 1 for letter in disk)
    path = tmp_path / "x.ome.zarr"
    tiles = image.tiles()
    some = len(tiles) // 2
    whole = order.to_disk(image.expected)

    writer = OmeImageRun(path, image.run(**run), options=ImageOptions(version))
    assert (writer.array.shards is not None) == (sharded and version == "0.5")
    opened(path, version)
    for tile in tiles[:some]:
        writer.add([tile])
    opened(path, version)
    writer.close(completed=False)
    levels, _ = read(path)
    there = np.isfinite(levels[0])
    assert 0 < there.sum() < there.size
    np.testing.assert_array_equal(levels[0][there], whole[there])
    check(path, disk, version, levels[0], len(levels))

    writer = OmeImageRun(path, image.run(resume=True, **run))
    for tile in tiles[some:]:
        writer.add([tile])
    writer.close(completed=True)
    metadata = check(path, disk, version, whole, 2)
    assert metadata["channel_names"] == (["DAPI", "GFP"] if "C" in axes else ["channel 0"])
    for (low, high), color in zip(metadata["contrast_limits"], metadata["colormap"], strict=True):
        assert whole.min() <= low < high <= whole.max()
        assert len(color) == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_whole_arrays_of_any_type_are_valid_and_read(
    tmp_path: Path, version: str, dtype: str, compression: str
) -> None:
    pixels = np.random.default_rng(1).integers(0, 100, (2, 530, 40)).astype(dtype)
    path = tmp_path / "x.ome.zarr"
    write_ome_zarr(
        path,
        pixels,
        axes="CYX",
        metadata=described("CYX"),
        ome_version=version,
        compression=compression,
    )
    check(path, "CYX", version, pixels, 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_copied_channels_and_samples_are_valid_and_read(
    tmp_path: Path, tiled_image: Any, version: str
) -> None:
    axes, shape = "SCYX", (2, 2, 530, 40)
    image = tiled_image(
        axes, shape, (200, 40), (0, 0), fold="C", selection={"C": 1}, metadata=described(axes)
    )
    pixels = np.random.default_rng(2).integers(0, 999, shape).astype(np.uint16)
    path = tmp_path / "x.ome.zarr"
    writer = OmeImageRun(
        path,
        image.run(read_input=pixels.__getitem__),
        options=ImageOptions(version, copy_channels=True),
    )
    for tile in image.tiles():
        writer.add([tile])
    writer.close(completed=True)
    expected = pixels.astype(np.float32)
    expected[:, 1:] = image.expected
    levels, metadata = read(path)
    opened(path, version)
    np.testing.assert_array_equal(levels[0], expected)
    assert metadata["channel_names"] == ["DAPI", "GFP"]


def test_what_is_wrong_would_be_found(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (530, 40), (200, 40), (0, 0))
    for version in VERSIONS:
        path = tmp_path / f"{version}.ome.zarr"
        OmeImageRun(path, image.run(), options=ImageOptions(version)).close(completed=False)
        about = path / ("zarr.json" if version == "0.5" else ".zattrs")
        about.write_text(about.read_text().replace('"scale"', '"scales"'))
        with pytest.raises((ValueError, RuntimeError)):
            opened(path, version)
