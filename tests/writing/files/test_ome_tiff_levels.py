"""Levels, tiles and compression of OME-TIFF, as other programs read them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera.stacks import open_stack
from napari_tessera.writing import write_ome_tiff
from napari_tessera.writing.files import ome_tiff

from .images import NAMES, described, image

bioio_ome_tiff = pytest.importorskip("bioio_ome_tiff")

ome_types = pytest.importorskip("ome_types")


def mean_of_fours(planes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Half the size along the last two axes, pixel by pixel, from what the format says."""
    height, width = planes.shape[-2:]
    out = np.empty((*planes.shape[:-2], -(-height // 2), -(-width // 2)), np.float64)
    for y in range(out.shape[-2]):
        for x in range(out.shape[-1]):
            block = planes[..., 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(np.float64)
            out[..., y, x] = np.nanmean(block, axis=(-2, -1))
    return out if planes.dtype.kind == "f" else np.rint(out)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_each_level_is_the_mean_of_the_one_before(
    tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_tessera.writing.chunks.halves.SMALLEST_PLANE", 40)
    array = image("CZYX", dtype, Y=149, X=203)
    if dtype == "float32":
        array[0, 1, 7:30, 9:22] = np.nan
    path = tmp_path / "a.ome.tif"
    with warnings.catch_warnings():
        # of four pixels without a value
        warnings.simplefilter("ignore", RuntimeWarning)
        write_ome_tiff(path, array, axes="CZYX", tile=(32, 48), memory_limit=20_000)
        levels = [array.swapaxes(0, 1)]
        for _ in range(3):
            levels.append(mean_of_fours(levels[-1]).astype(dtype))
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.series) == 1
        assert len(tiff.pages) == 8
        found = tiff.series[0].levels
        assert [level.shape for level in found] == [
            (4, 2, 149, 203),
            (4, 2, 75, 102),
            (4, 2, 38, 51),
            (4, 2, 19, 26),
        ]
        for level, expected in zip(found, levels, strict=True):
            np.testing.assert_array_equal(level.asarray(), expected)
            assert level.keyframe.subfiletype == (0 if level is found[0] else 1)
            assert level.keyframe.is_tiled
            assert len(level.pages) == 8
        assert len(tiff.pages[0].subifds) == 3
    with open_stack(path, level=2) as stack:
        patch = stack.extract_patch(0, [1], (2, 0, 0), (1, 38, 51))
        np.testing.assert_array_equal(patch[0, 0], levels[2][2, 1])
    as_zarr = tifffile.imread(path, aszarr=True)
    with as_zarr:
        group = zarr.open_group(as_zarr, mode="r")
        np.testing.assert_array_equal(group["3"][...], levels[3])


def test_no_level_is_made_of_a_small_plane_or_unasked(tmp_path: Path) -> None:
    array = image("YX", X=600, Y=512)
    write_ome_tiff(tmp_path / "a.ome.tif", array[:, :512], axes="YX")
    write_ome_tiff(tmp_path / "b.ome.tif", array, axes="YX", pyramid=False)
    write_ome_tiff(tmp_path / "c.ome.tif", array, axes="YX")
    for name, n_levels in (("a", 1), ("b", 1), ("c", 2)):
        with tifffile.TiffFile(tmp_path / f"{name}.ome.tif") as tiff:
            assert len(tiff.series[0].levels) == n_levels


@pytest.mark.parametrize(
    ("shape", "tile"), [((5, 700), (16, 512)), ((700, 5), (512, 16)), ((1, 1), (16, 16))]
)
def test_tiles_are_no_larger_than_needed(
    tmp_path: Path, shape: tuple[int, int], tile: tuple[int, int]
) -> None:
    array = np.arange(shape[0] * shape[1], dtype=np.uint16).reshape(shape)
    write_ome_tiff(tmp_path / "a.ome.tif", array, axes="YX")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.pages[0].tile == tile
        np.testing.assert_array_equal(tiff.asarray().reshape(shape), array)


@pytest.mark.parametrize(
    ("compression", "tag"), [("zlib", "ADOBE_DEFLATE"), ("lzw", "LZW"), ("none", "NONE")]
)
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "float32", "float64"])
def test_nothing_is_lost_with_any_compression(
    tmp_path: Path, compression: str, tag: str, dtype: str
) -> None:
    array = image("ZYX", dtype, Y=100, X=70)
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, array, axes="ZYX", compression=compression, tile=(64, 64))
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        assert page.compression.name == tag
        # floating predictors are what many programs do not know
        assert page.predictor == (2 if array.dtype.kind in "iu" and tag != "NONE" else 1)
        np.testing.assert_array_equal(tiff.asarray(), array)
        assert tiff.asarray().dtype == dtype


def test_the_description_is_valid_and_tells_all(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    made_by = {"version": "1.2", "plan": {"patch_size": [64, 64]}, "fingerprint": "f00d & <co>"}
    axes = "XCZYT"
    array = image(axes, "float32")
    write_ome_tiff(path, array, axes=axes, metadata=described(axes), made_by=made_by)
    ome_types.validate_xml(tifffile.tiffcomment(path))
    ome = ome_types.from_tiff(path)
    pixels = ome.images[0].pixels
    assert (pixels.size_t, pixels.size_z, pixels.size_c) == (3, 4, 2)
    assert (pixels.size_y, pixels.size_x) == (15, 18)
    assert pixels.dimension_order.value == "XYCZT"
    assert pixels.type.value == "float"
    sizes = pixels.physical_size_z, pixels.physical_size_y, pixels.physical_size_x
    assert sizes == (0.75, 0.25, 0.2)
    assert {unit.value for unit in (pixels.physical_size_z_unit, pixels.physical_size_x_unit)} == {
        "µm"
    }
    assert (pixels.time_increment, pixels.time_increment_unit.value) == (2.5, "s")
    assert tuple(channel.name for channel in pixels.channels) == NAMES
    annotation = ome.structured_annotations.map_annotations[0]
    assert annotation.namespace == ome_tiff.NAMESPACE
    told = {entry.k: entry.value for entry in annotation.value.ms}
    assert json.loads(told["plan"]) == made_by["plan"]
    assert told["fingerprint"] == made_by["fingerprint"]


def test_bioio_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    array = image("CTYXZ", Y=600)
    write_ome_tiff(path, array, axes="CTYXZ", metadata=described("CTYXZ"))
    with warnings.catch_warnings():
        # bioio-ome-tiff 1.4 gives ome-types an argument that it no longer wants
        warnings.simplefilter("ignore")
        reader = bioio_ome_tiff.Reader(path)
        assert reader.dims.order == "TCZYX"
        np.testing.assert_array_equal(reader.data, array.transpose(1, 0, 4, 2, 3))
        assert reader.physical_pixel_sizes == (0.75, 0.25, 0.2)
        assert [str(name) for name in reader.channel_names] == list(NAMES)


@pytest.mark.parametrize(("compression", "growth"), [("none", 1), ("zlib", 1), ("lzw", 1.5)])
def test_large_images_with_their_levels_and_whole_tiles_are_big_tiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, growth: float
) -> None:
    array = image("YX", "uint8", Y=520, X=1030)
    # 2 × 3 tiles, 1 × 2 and one of the levels, filled up where the image ends
    in_tiles = 9 * 512 * 512 * growth
    for name, limit, big in (("a", in_tiles, True), ("b", in_tiles + 2000, False)):
        monkeypatch.setattr(ome_tiff, "CLASSIC_LIMIT", limit)
        path = tmp_path / f"{name}.ome.tif"
        write_ome_tiff(path, array, axes="YX", compression=compression)
        assert path.stat().st_size < in_tiles + 2000
        with tifffile.TiffFile(path) as tiff:
            assert tiff.is_bigtiff == big
            np.testing.assert_array_equal(tiff.asarray(), array)


def test_what_noise_becomes_in_small_tiles_counts_for_big_tiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = image("ZYX", "uint8", Z=40, Y=160, X=160)
    monkeypatch.setattr(ome_tiff, "CLASSIC_LIMIT", 0)
    for compression in ("none", "zlib", "lzw"):
        path = tmp_path / f"{compression}.ome.tif"
        write_ome_tiff(path, array, axes="ZYX", compression=compression, tile=(16, 16))
        monkeypatch.setattr(ome_tiff, "CLASSIC_LIMIT", path.stat().st_size - 2**12)
        again = tmp_path / f"{compression}_again.ome.tif"
        write_ome_tiff(again, array, axes="ZYX", compression=compression, tile=(16, 16))
        with tifffile.TiffFile(again) as tiff:
            assert tiff.is_bigtiff


class Dark:
    """Planes a little larger than a tile, of which each takes four in the file."""

    shape, dtype = (1050, 520, 520), np.dtype(np.float32)

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        return np.zeros([part.stop - part.start for part in index], np.float32)


@pytest.mark.slow
def test_a_small_image_whose_tiles_take_more_than_4_gb_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    assert np.prod(Dark.shape) * 4 < 2**31
    write_ome_tiff(path, Dark(), axes="ZYX", compression="none", pyramid=False)
    assert path.stat().st_size > 2**32
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        assert tiff.series[0].shape == Dark.shape
        assert not tiff.pages[1049].asarray().any()
    path.unlink()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": (500, 512)}, r"tile \(500, 512\): give height and width, multiples of 16"),
        ({"tile": (0, 16)}, "multiples of 16"),
        ({"compression": "jpeg"}, "OME-TIFF has no compression 'jpeg': use zlib, lzw or none"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_ome_tiff(tmp_path / "a.ome.tif", np.zeros((4, 4)), axes="YX", **settings)
    assert list(tmp_path.iterdir()) == []
