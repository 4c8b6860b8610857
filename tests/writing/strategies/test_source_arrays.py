from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_tessera import iter_predictions, load_model, plan_prediction, predict_to_disk
from napari_tessera.metadata import ImageMetadata
from napari_tessera.prediction import run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import WriteTilesZarr, write_npy, write_ome_zarr
from napari_tessera.writing.strategies.array_places import output_location


@pytest.mark.parametrize(
    ("source", "store", "path"),
    [
        ("in.zarr/group/array", "in_output.zarr", "group/array"),
        ("/data/in.zarr/a", "in_output.zarr", "a"),
        ("file:///data/in.zarr/group/array", "in_output.zarr", "group/array"),
        ("s3://bucket/in.zarr/group/array", "in_output.zarr", "group/array"),
        ("C:\\data\\in.zarr\\group\\array", "in_output.zarr", "group/array"),
        ("in.ome.zarr/0", "in_output.zarr", "0"),
        ("in.zarr", "in_output.zarr", "0"),
        ("/data/f.h5#/exp/raw", "f_output.zarr", "exp/raw"),
        ("/data/cells.ome.tif", "cells_output.zarr", "0"),
        ("/data/cells.v2.TIFF", "cells.v2_output.zarr", "0"),
        (Path("/data/cells.tif"), "cells_output.zarr", "0"),
        ("/data/cells.npy", "cells_output.zarr", "0"),
        ("/data/a.b.c.nd2", "a.b.c_output.zarr", "0"),
        ("layer:a.b", "layer_a.b_output.zarr", "0"),
        ("array", "array_output.zarr", "0"),
        ("layer:my cells/2", "layer_my cells_2_output.zarr", "0"),
        ("layer:cells", "layer_cells_output.zarr", "0"),
        ("", "array_output.zarr", "0"),
        ("/data/a.zarr.zip", "a_output.zarr", "0"),
        ("/data/a.zarr.zip#g1/a", "a_output.zarr", "g1/a"),
        ("/data/a.zarr.zip#g2/a", "a_output.zarr", "g2/a"),
        ("/data/a.zip#g2/a", "a_output.zarr", "g2/a"),
        ("/data/a.czi", "a_output.zarr", "0"),
        ("/data/a.czi#P1/2", "a_output.zarr", "P1%2F2"),
        ("/data/a.czi#P2/2", "a_output.zarr", "P2%2F2"),
        ("/data/a.lif#..", "a_output.zarr", "%2E%2E"),
        ("/data/a.tif#1", "a_output.zarr", "1"),
        ("/data/cells#2.tif", "cells_2_output.zarr", "0"),
        ("/data/a#b/cells.tif", "cells_output.zarr", "0"),
        ("https://host/a#b/in.zarr/g", "in_output.zarr", "g"),
        ("/data/cells.tif, level 1", "cells_level1_output.zarr", "0"),
        ("/data/a.czi#P1/2, level 2", "a_level2_output.zarr", "P1%2F2"),
        ("/data/cells, level one.tif", "cells_ level one_output.zarr", "0"),
        ("layer:cells, level 1", "layer_cells_level1_output.zarr", "0"),
        (
            "/run/t0.tif…t9.tif (10 files, 0a1b2c3d)",
            "t0.tif_t9.tif _10 files_ 0a1b2c3d_output.zarr",
            "0",
        ),
    ],
)
def test_names_come_from_the_source(source: str | Path, store: str, path: str) -> None:
    assert output_location(Path("out"), source) == (Path("out") / store, path)


def test_a_sign_in_a_name_is_told_from_one_before_a_part(tmp_path: Path) -> None:
    for name in ("a.b#2.tif", "c.v1#x.h5"):
        (tmp_path / name).touch()
    assert output_location(Path("o"), tmp_path / "a.b#2.tif")[0].name == "a.b_2_output.zarr"
    part = output_location(Path("o"), f"{tmp_path}/c.v1#x.h5#/exp/raw")
    assert (part[0].name, part[1]) == ("c.v1_x_output.zarr", "exp/raw")


@pytest.mark.parametrize(("fold", "dtype"), [("", None), ("Z", "same"), ("ZC", None)])
@pytest.mark.parametrize(
    "axes", ["YX", "XY", "ZXY", "YXC", "XZYST", "CTZXY", "ZTCYX", "CSYX", "TSZYX"]
)
def test_write_batch_alone_writes_arrays_in_the_axes_of_their_images(
    tmp_path: Path, tiled_image: Any, axes: str, fold: str, dtype: str | None
) -> None:
    sizes = {"S": 2, "T": 2, "C": 2, "Z": 3, "Y": 33, "X": 21}
    shape = [sizes[letter] for letter in axes]
    n = 3 if "Z" in axes and not fold else 2
    images = [
        tiled_image(axes, shape, (16,) * n, (4,) * n, fold=fold, source=source, data_idx=i, seed=i)
        for i, source in enumerate(["/data/in.zarr/group/a", "/data/in.zarr/group/b"])
    ]
    writer = WriteTilesZarr(dtype=dtype)
    pairs = zip(*(image.tiles() for image in images), strict=True)
    mixed = [tile for pair in pairs for tile in pair]
    for start in range(0, len(mixed), 5):
        writer.write_batch(tmp_path / "out", mixed[start : start + 5])
    group = zarr.open_group(str(tmp_path / "out" / "in_output.zarr"), mode="r")
    for image, name in zip(images, "ab", strict=True):
        array = group[f"group/{name}"]
        assert isinstance(array, zarr.Array)
        assert array.metadata.dimension_names == tuple(axes.lower())
        expected = image.expected
        if dtype == "same":
            expected = np.rint(expected).clip(0, 65535).astype(np.uint16)
            assert (group[f"group/{name}_done"][:] == 1).all()
        np.testing.assert_array_equal(array[:], expected)
        assert array.dtype == expected.dtype
    assert sorted(group["group"].array_keys()) == (
        ["a", "b"] if dtype is None else ["a", "a_done", "b", "b_done"]
    )
    assert not list((tmp_path / "out").glob(".*"))


def test_only_a_part_of_the_tiles_is_on_disk_after_close(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (40, 40), (16, 16), (4, 4), source="cells.tif")
    writer = WriteTilesZarr()
    writer.write_batch(tmp_path, image.tiles([0]))
    writer.close(completed=False)
    array = zarr.open_array(str(tmp_path / "cells_output.zarr" / "0"), mode="r")
    assert np.isfinite(array[:14, :14]).all()
    assert np.isnan(array[14:]).all()


def test_a_region_is_all_there_when_its_last_tile_came(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (40, 40), (16, 16), (4, 4), selection={"Y": slice(0, 10)})
    WriteTilesZarr().write_batch(tmp_path, image.tiles())
    array = zarr.open_array(str(tmp_path / "array_output.zarr" / "0"), mode="r")
    np.testing.assert_array_equal(array[:10], image.expected)


def test_a_run_says_which_type_is_written(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (20, 20), (16, 16), (4, 4))
    writer = WriteTilesZarr()
    writer.open(image.run(output_dtype=np.dtype("uint16")))
    writer.write_batch(tmp_path, image.tiles())
    writer.close(completed=True)
    array = zarr.open_array(str(tmp_path / "array_output.zarr" / "0"), mode="r")
    assert (array.dtype, array.fill_value) == (np.uint16, 0)


def test_what_is_there_is_not_overwritten_unasked(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="in.zarr/g/a")
    WriteTilesZarr().write_batch(tmp_path, image.tiles())
    again = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="in.zarr/g/a", seed=1)
    with pytest.raises(FileExistsError, match="exists: choose another folder") as caught:
        WriteTilesZarr().write_batch(tmp_path, again.tiles())
    assert "\n" not in str(caught.value)
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, again.tiles())
    array = zarr.open_array(str(tmp_path / "in_output.zarr" / "g" / "a"), mode="r")
    np.testing.assert_array_equal(array[:], again.expected)
    group = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="in.zarr/g")
    with pytest.raises(FileExistsError, match="is a group"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, group.tiles())


@pytest.mark.parametrize(
    ("sources", "arrays"),
    [
        (("array", "array"), ("array_output.zarr/0", "array_output.zarr/1")),
        (
            ("/a/in.zarr/g/x", "/b/in.zarr/g/x"),
            ("in_output.zarr/g/x", "in_output.zarr/g/x_1"),
        ),
        (("/a/c.tif", "/b/c.tif"), ("c_output.zarr/0", "c_output.zarr/1")),
        (("/a/in.zarr/g1/x", "/a/in.zarr/g2/x"), ("in_output.zarr/g1/x", "in_output.zarr/g2/x")),
        (("/a/c.tif", "/a/c_tif"), ("c_output.zarr/0", "c_tif_output.zarr/0")),
    ],
)
def test_two_images_of_one_name_go_to_two_arrays(
    tmp_path: Path, tiled_image: Any, sources: tuple[str, str], arrays: tuple[str, str]
) -> None:
    images = [
        tiled_image("YX", (20, 33), (16, 16), (4, 4), source=source, data_idx=i, seed=i)
        for i, source in enumerate(sources)
    ]
    writer = WriteTilesZarr()
    pairs = zip(*(image.tiles() for image in images), strict=True)
    writer.write_batch(tmp_path, [tile for pair in pairs for tile in pair])
    for image, name in zip(images, arrays, strict=True):
        array = zarr.open_array(str(tmp_path / name), mode="r")
        np.testing.assert_array_equal(array[:], image.expected)


def test_what_is_no_tile_is_refused(tmp_path: Path, tiled_image: Any) -> None:
    tile = tiled_image("YX", (20, 20), (16, 16), (4, 4)).tile(0)
    specs = {"data_idx": 0, "sample_idx": 0, "coords": (0, 0), "patch_size": (16, 16)}
    with pytest.raises(ValueError, match="is no tile"):
        WriteTilesZarr().write_batch(tmp_path, [tile._replace(region_spec=specs)])
    assert list(tmp_path.iterdir()) == []


def _run_into(out: Path, image: Any, **options: Any) -> None:
    writer = WriteTilesZarr(**options)
    writer.open(image.run(dirpath=out))
    writer.write_batch(out, image.tiles())
    writer.close(completed=True)


def test_the_array_of_an_image_from_elsewhere_is_never_replaced(
    tmp_path: Path, tiled_image: Any, hashes: Any
) -> None:
    first, second = (
        tiled_image("YX", (20, 20), (16, 16), (4, 4), source=f"/data/{folder}/c.tif", seed=seed)
        for seed, folder in enumerate("ab")
    )
    _run_into(tmp_path, first)
    before = hashes(tmp_path)
    message = r"holds the prediction of /data/a/c\.tif, not of /data/b/c\.tif: choose another"
    for options in ({}, {"overwrite": True}):
        with pytest.raises(FileExistsError, match=message):
            _run_into(tmp_path, second, **options)
        with pytest.raises(FileExistsError, match=message):
            WriteTilesZarr(**options).write_batch(tmp_path, second.tiles())
    assert hashes(tmp_path) == before
    assert WriteTilesZarr().stored_run(tmp_path, "/data/b/c.tif") is None
    assert WriteTilesZarr().stored_run(tmp_path, "/data/x/../a/c.tif") is not None
    _run_into(tmp_path, first, overwrite=True)
    sources = ["/data/a/c.tif", "/data/b/c.tif"]
    _run_into(tmp_path, second, sources=sources)
    array = zarr.open_array(tmp_path / "b" / "c_output.zarr" / "0", mode="r")
    np.testing.assert_array_equal(array[:], second.expected)


@pytest.mark.parametrize("by_run", [True, False])
def test_the_array_tells_pixel_size_units_and_channels(tmp_path: Path, by_run: bool) -> None:
    metadata = ImageMetadata(
        "CXY",
        scale=(1.0, 0.25, 0.5),
        units=(None, "micrometer", "micrometer"),
        channel_names=("DAPI", "GFP"),
    )
    pixels = np.random.default_rng(0).random((2, 30, 40))
    stack = ArrayStack(pixels, "CXY", source="/data/cells.npy", metadata=metadata)
    model = load_model(lambda x: x / 2)
    plan = plan_prediction(stack, model, patch_size=24)
    writer = WriteTilesZarr()
    if by_run:
        run_prediction(plan, stack, model, writers=[(writer, tmp_path)])
    else:
        writer.write_batch(tmp_path, list(iter_predictions(plan, stack, model)))
    array: Any = zarr.open_array(tmp_path / "cells_output.zarr" / "0", mode="r")
    said = array.attrs["napari_tessera"]
    assert said["axes"] == "CXY"
    assert said["scale"] == [1.0, 0.25, 0.5]
    assert said["units"] == [None, "micrometer", "micrometer"]
    assert said["channel_names"] == ["DAPI", "GFP"]


def test_one_length_of_chunks_is_that_along_y_and_x(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YXC", (40, 40, 2), (16, 16), (4, 4), source="/data/c.tif")
    _run_into(tmp_path, image, chunks=16)
    assert zarr.open_array(tmp_path / "c_output.zarr" / "0", mode="r").chunks == (16, 16, 1)


def test_tiles_that_are_missing_are_told_at_the_end(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (40, 40), (16, 16), (4, 4), source="/data/c.tif")
    writer = WriteTilesZarr()
    writer.write_batch(tmp_path, image.tiles([0, 1]))
    with pytest.raises(ValueError, match=r"tiles of /data/c\.tif did not come: .*0 is not whole"):
        writer.close(completed=True)
    array: Any = zarr.open_array(tmp_path / "c_output.zarr" / "0", mode="r")
    assert array.attrs["napari_tessera"]["state"] == "stopped"
    assert not list(tmp_path.glob(".*"))


def test_one_length_of_chunks_goes_for_an_image_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((2, 100, 90)).astype(np.float32)
    predict_to_disk(pixels, lambda x: x / 2, tmp_path / "a.ome.zarr", chunks=64)
    write_ome_zarr(tmp_path / "b.ome.zarr", pixels, axes="CYX", chunks=64)
    for name in "ab":
        array = zarr.open_array(tmp_path / f"{name}.ome.zarr" / "0", mode="r")
        assert array.chunks == (1, 64, 64)


def test_npy_takes_what_other_formats_take(tmp_path: Path) -> None:
    pixels = np.ones((4, 5), np.float32)
    path = write_npy(
        tmp_path / "a.npy", pixels, axes="YX", metadata=ImageMetadata("YX"), made_by={"plan": {}}
    )
    np.testing.assert_array_equal(np.load(path), pixels)
