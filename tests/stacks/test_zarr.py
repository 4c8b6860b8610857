from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, ShardingCodec, TransposeCodec
from zarr.storage import MemoryStore

from napari_tessera.stacks import ZarrStack, open_stack
from napari_tessera.stacks.zarr.nodes import quiet_zarr

from .zarr_files import TCYX, axis, check_pixels, ome_image, random_image, store_array


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_axes_scale_units_and_names_of_an_ome_image(version: str, tmp_path: Path) -> None:
    path, array = tmp_path / "a.ome.zarr", random_image(2, 3, 20, 24)
    ome_image(path, array, version)
    with open_stack(path) as stack:
        check_pixels(stack, array, "TCYX")
        known = stack.metadata
    assert stack.source == str(path.resolve() / "0")
    assert known.scale == (30.0, 1.0, 1.0, 0.25)
    assert known.units == ("second", None, "micrometer", "micrometer")
    assert known.translation == (0.0, 0.0, 0.5, 0.125)
    assert known.channel_names == ("DAPI", "GFP", "RFP")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_levels_of_an_ome_image(version: str, tmp_path: Path) -> None:
    path, array = tmp_path / "a.ome.zarr", random_image(2, 3, 20, 24)
    ome_image(path, array, version)
    with open_stack(path, level=1, channels=[2, 0]) as stack:
        check_pixels(stack, array[:, [2, 0], ::2, ::2], "TCYX")
        assert stack.metadata.along("Y") == (2.0, "micrometer", 1.0)
        assert stack.metadata.channel_names == ("RFP", "DAPI")
    for level in (2, -1):
        with pytest.raises(ValueError, match=rf"a\.ome\.zarr: level {level} is outside 0…1"):
            open_stack(path, level=level)
    with pytest.raises(ValueError, match="is one array without levels; use level 0"):
        open_stack(path / "0", level=1)


def test_an_array_named_by_itself_knows_its_image(tmp_path: Path) -> None:
    path, array = tmp_path / "a.ome.zarr", random_image(2, 3, 20, 24)
    ome_image(path, array, "0.5")
    for source in (path / "1", f"file://{path}/1", zarr.open_group(path, mode="r")["1"]):
        with open_stack(source) as stack:
            assert stack.original_axes == "TCYX"
            assert stack.metadata.along("X") == (0.5, "micrometer", 0.25)
            assert stack.source == str(path.resolve() / "1")


def test_axes_of_older_ome_images(tmp_path: Path) -> None:
    array = random_image(2, 3, 20, 24)
    ome_image(tmp_path / "text.zarr", array, "0.3", ["t", "c", "y", "x"])
    with open_stack(tmp_path / "text.zarr") as stack:
        assert stack.original_axes == "TCYX"
    five = random_image(2, 1, 3, 8, 8)
    ome_image(tmp_path / "none.zarr", five, "0.1", None)
    with pytest.warns(
        UserWarning, match=r"scale \[1.0, .*\] \(and 2 more\) in its OME-Zarr"
    ) as told:
        stack = open_stack(tmp_path / "none.zarr")
    assert len(told) == 1
    with stack:
        assert stack.original_axes == "TCZYX"
        assert not stack.axes_guessed
        # transformations of another length say nothing
        assert stack.metadata.scale == (1.0,) * 5


def test_an_axis_that_is_none_of_ours_is_guessed(tmp_path: Path) -> None:
    angles = [axis("angle", "other"), *TCYX[1:]]
    ome_image(tmp_path / "a.zarr", random_image(9, 3, 20, 24), "0.5", angles)
    with open_stack(tmp_path / "a.zarr") as stack:
        assert stack.original_axes == "ZCYX"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_arrays_below_groups(zarr_format: Any, tmp_path: Path) -> None:
    array = random_image(9, 20, 24)
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format)
    stored = group.create_array("raw/cells", shape=array.shape, dtype=array.dtype)
    stored[...] = array
    path = tmp_path / "a.zarr" / "raw" / "cells"
    for source in (path, str(path), stored, f"local://{path}"):
        with open_stack(source) as stack:
            check_pixels(stack, array, "ZYX")
            assert stack.source.endswith("a.zarr/raw/cells")
    with open_stack(tmp_path / "a.zarr" / "raw") as stack:
        assert stack.source == str(path.resolve())


def test_a_store_in_memory(tmp_path: Path) -> None:
    array = random_image(20, 24)
    group = zarr.open_group(MemoryStore(), mode="w")
    stored = group.create_array("cells", shape=array.shape, dtype=array.dtype)
    stored[...] = array
    with open_stack(group) as whole, open_stack(stored) as alone:
        check_pixels(whole, array, "YX")
        assert whole.source == alone.source
        assert whole.source.startswith("memory://")
        assert whole.source.endswith("/cells")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_names_of_dimensions_are_axes(zarr_format: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"zarr_format": zarr_format}
    if zarr_format == 3:
        settings["dimension_names"] = ("time", "y", "x")
    else:
        settings["attributes"] = {"_ARRAY_DIMENSIONS": ["time", "y", "x"]}
    array = store_array(tmp_path / "a.zarr", random_image(9, 20, 24), **settings)
    with open_stack(tmp_path / "a.zarr") as stack:
        check_pixels(stack, array, "TYX")
    with open_stack(tmp_path / "a.zarr", "ZYX") as stack:
        check_pixels(stack, array, "ZYX")


def test_chunks_and_shards(tmp_path: Path) -> None:
    array = store_array(tmp_path / "a.zarr", random_image(16, 32), 4, shards=(8, 16))
    with ZarrStack(tmp_path / "a.zarr") as stack:
        check_pixels(stack, array, "YX")
        assert stack.chunks == (4, 4)
        assert stack.shards == (8, 16)


def test_a_patch_reads_its_own_chunks_only(tmp_path: Path) -> None:
    path, array = tmp_path / "a.zarr", random_image(3, 16, 16)
    store_array(path, array)
    kept = path / "c" / "0" / "1" / "0"
    for chunk in (path / "c").rglob("*"):
        if chunk.is_file() and chunk != kept:
            chunk.write_bytes(b"\xff")
    with open_stack(path, "CYX") as stack:
        found = stack.extract_patch(0, None, (8, -4), (8, 12))
    np.testing.assert_array_equal(found[:, :, 4:], array[:, 8:, :8])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    ome_image(tmp_path / "a.zarr", random_image(1, 1, 8, 8), "0.5")
    with pytest.raises(FileNotFoundError, match=r"a\.zarr has no 'x/y'; .*it holds 0, 1"):
        open_stack(tmp_path / "a.zarr" / "x" / "y")
    with pytest.raises(FileNotFoundError, match="has no 'x'; it is an array"):
        open_stack(tmp_path / "a.zarr" / "0" / "x")
    with pytest.raises(FileNotFoundError, match=r"b\.zarr does not exist"):
        open_stack(tmp_path / "b.zarr")
    with pytest.raises(FileNotFoundError, match=r"b\.zarr does not exist"):
        open_stack(f"local://{tmp_path}/b.zarr")
    with pytest.raises(FileNotFoundError, match=r"b\.zarr holds no Zarr array or group"):
        open_stack("memory://nothing/b.zarr")
    (tmp_path / "plain").mkdir()
    with pytest.raises(ValueError, match="plain is not a Zarr array or group"):
        ZarrStack(tmp_path / "plain")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    del group["0"]
    with pytest.raises(ValueError, match=r"a\.zarr names an array '0' that it does not hold"):
        open_stack(tmp_path / "a.zarr")


def test_metadata_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(8, 8))
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type"')
    with pytest.raises(ValueError, match=r"a\.zarr cannot be opened as Zarr: \w+") as error:
        open_stack(path)
    assert "\n" not in str(error.value)


def test_old_arrays_open_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    array = store_array(path, random_image(8, 8), zarr_format=2)
    document = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(document | {"filters": []}))
    with open_stack(path) as stack:
        check_pixels(stack, array, "YX")


@pytest.mark.parametrize("dtype", ["complex64", "U3"])
def test_pixels_that_are_no_real_numbers_are_refused(dtype: str, tmp_path: Path) -> None:
    stored = zarr.create_array(MemoryStore(), shape=(4, 4), dtype=dtype, zarr_format=2)
    with pytest.raises(ValueError, match="cannot be denoised"):
        open_stack(stored)


LAYOUTS: dict[str, dict[str, Any]] = {
    "2 Fortran": {"zarr_format": 2, "order": "F"},
    "2 big-endian": {"zarr_format": 2, "dtype": ">u2"},
    "2 filters": {"zarr_format": 2, "filters": [numcodecs.Delta("<u2")]},
    "2 slashes": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "3 big-endian": {"serializer": BytesCodec(endian="big")},
    "3 transposed": {"filters": [TransposeCodec(order=(2, 0, 1))]},
    "3 transposed shards": {
        "filters": [TransposeCodec(order=(2, 0, 1))], "chunks": (1, 4, 8), "shards": (3, 8, 16)
    },
    "3 shards of shards": {
        "chunks": (4, 8, 8),
        "serializer": ShardingCodec(
            chunk_shape=(2, 4, 4), codecs=[ShardingCodec(chunk_shape=(1, 2, 2))]
        ),
        "compressors": None,
    },
    "3 dots": {"chunk_key_encoding": {"name": "default", "separator": "."}},
    "one chunk": {"chunks": (5, 12, 10)},
    "chunks larger than the image": {"chunks": (16, 32, 32)},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_of_the_bytes(layout: dict[str, Any], tmp_path: Path) -> None:
    array, settings = random_image(5, 12, 10), dict(layout)
    dtype = settings.pop("dtype", "u2")
    with quiet_zarr():
        settings = {"chunks": (2, 8, 8), "fill_value": 0, **settings}
        stored = zarr.create_array(tmp_path / "a.zarr", shape=array.shape, dtype=dtype, **settings)
        stored[...] = array
    with open_stack(tmp_path / "a.zarr", "ZYX") as stack:
        check_pixels(stack, array, "ZYX")
        assert stack.absent_chunks == 0
        key = stored.metadata.encode_chunk_key((0, 0, 0))
        (tmp_path / "a.zarr" / key).unlink()
        assert stack.extract_patch(0, None, (0, 0, 0), (1, 1, 1)) == 0
        assert stack.absent_chunks == 1
        assert stack.count_absent()[0] == 1


@pytest.mark.parametrize("name", ["LZ4", "Zlib", "BZ2", "Shuffle", "Blosc"])
def test_codecs_beyond_the_specification_are_read_without_a_warning(
    name: str, tmp_path: Path
) -> None:
    path, array = tmp_path / "a.zarr", random_image(16, 16)
    with warnings.catch_warnings(action="ignore"):
        codec = getattr(zarr.codecs.numcodecs, name)()
        store_array(path, array, compressors=[codec])
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack.extract_patch(0, None, (0, 0), (16, 16))[0], array)


CHANGES: dict[str, tuple[int, dict[str, Any], str]] = {
    "2 codec": (2, {"compressor": {"id": "jpegxs"}}, "is not installed .*jpegxs.*: install"),
    "2 filter": (2, {"filters": [{"id": "mine"}]}, "a codec that is not installed .*mine.*: ins"),
    "3 codec": (3, {"codecs": [{"name": "mine"}]}, "a codec that is not installed .*mine.*: ins"),
    "2 objects": (2, {"dtype": "|O"}, r"cannot be opened as Zarr: ValueError: .*\|O"),
    "2 text": (2, {"dtype": "<U3", "fill_value": ""}, "dtype <U3 cannot be denoised"),
    "2 fields": (
        2, {"dtype": [["a", "<u2"], ["b", "<f4"]], "fill_value": None}, r"structured \('a', 'b'\)"
    ),
    "3 dtype": (3, {"data_type": "uint128"}, "cannot be opened as Zarr: .*uint128"),
    "2 empty": (2, {"shape": [0, 16]}, "axis Y is empty"),
    "3 empty": (3, {"shape": [16, 0]}, "axis X is empty"),
    "2 no chunk": (2, {"chunks": [0, 8]}, r"a\.zarr: chunks of \(0, 8\) hold no pixel"),
    "2 chunks": (2, {"chunks": [8]}, "cannot be opened as Zarr: .*same length"),
    "3 grid": (3, {"chunk_grid": {"name": "odd", "configuration": {}}}, "opened as Zarr: .*odd"),
    "3 shape": (3, {"shape": "16"}, "cannot be opened as Zarr"),
    "2 shape": (2, {"shape": [-4, 16]}, "cannot be opened as Zarr"),
    "3 fill": (3, {"fill_value": "much"}, "cannot be opened as Zarr: .*much"),
    "3 codecs": (3, {"codecs": None}, "cannot be opened as Zarr"),
    "3 one axis": (
        3,
        {
            "shape": [16],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8]}},
        },
        r"a\.zarr: an image of shape 16 has 1 axes",
    ),
    "3 unknown": (3, {"extra": {"must_understand": True}}, "cannot be opened as Zarr: .*extra"),
}  # fmt: skip


@pytest.mark.parametrize(("zarr_format", "change", "message"), CHANGES.values(), ids=CHANGES)
def test_metadata_that_cannot_be_read_are_one_line(
    zarr_format: Any, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16), zarr_format=zarr_format)
    file = path / (".zarray" if zarr_format == 2 else "zarr.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=message) as error:
        open_stack(path)
    assert "\n" not in str(error.value)


def test_metadata_that_are_consolidated_and_old_are_not_believed(tmp_path: Path) -> None:
    path, array = tmp_path / "a.zarr", random_image(2, 3, 20, 24)
    group = ome_image(path, array, "0.4")
    group.create_array("extra", shape=(4, 4), dtype="u1")
    zarr.consolidate_metadata(path, zarr_format=2)
    del group["extra"]
    stored = group.create_array("0", shape=array.shape, dtype="u2", chunks=(1, 1, 20, 24),
                                overwrite=True)  # fmt: skip
    stored[...] = array
    group.create_array("new", shape=(4, 4), dtype="u1")[...] = 1
    for source in (path, zarr.open_group(path, mode="r")):
        with open_stack(source) as stack:
            check_pixels(stack, array, "TCYX")
            assert stack.chunks == (1, 1, 20, 24)
    with open_stack(path / "new") as stack:
        assert stack.data_shape == (1, 1, 4, 4)
    with pytest.raises(FileNotFoundError, match=r"has no 'extra'; .*holds 0, 1, new$"):
        open_stack(path / "extra")


NO_ATTRIBUTES = [[1], [], 3, "text", True, None, [["multiscales", []]]]


def put_attributes(folder: Path, version: int, attributes: Any) -> None:
    """Write what stands in the place of attributes, whatever it is."""
    if version == 2:
        (folder / ".zattrs").write_text(json.dumps(attributes))
        return
    described = json.loads((folder / "zarr.json").read_text())
    described["attributes"] = attributes
    (folder / "zarr.json").write_text(json.dumps(described))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("attributes", NO_ATTRIBUTES)
def test_attributes_that_are_none(version: Any, attributes: Any, tmp_path: Path) -> None:
    """Those of an array are not needed, nor are those of a group around one that is named."""
    path = tmp_path / "a.zarr"
    outer = zarr.create_group(path, zarr_format=version)
    array = random_image(8, 8)
    inner = outer.create_group("inner").create_array("b", data=array, chunks=(4, 4))
    put_attributes(path / inner.path, version, attributes)
    with open_stack(path / inner.path, "YX") as stack:
        check_pixels(stack, array, "YX")
    put_attributes(path / "inner", version, attributes)
    with open_stack(path / inner.path, "YX") as stack:
        check_pixels(stack, array, "YX")
    if attributes is not None:
        for group in (path, path / "inner"):
            with pytest.raises(ValueError, match=f"^{group} [^\n]*$"):
                open_stack(group)
