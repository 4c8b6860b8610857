from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import FsspecStore, LocalStore, LoggingStore, MemoryStore, WrapperStore, ZipStore

from napari_tessera.stacks import LayerStack, SampleView, ZarrStack, open_stack, read_origins

from .zarr_files import check_pixels, ome_image, random_image, read_whole, remove_chunk, store_array

LAYOUTS: dict[str, dict[str, Any]] = {
    "3": {},
    "3 dots": {"chunk_key_encoding": {"name": "default", "separator": "."}},
    "3 as 2": {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "2": {"zarr_format": 2},
    "2 slashes": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "2 Fortran": {"zarr_format": 2, "order": "F"},
}


@pytest.mark.parametrize("inner", ["", "group/cells"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_absent_chunks_are_read_as_fill_value_and_counted(
    layout: dict[str, Any], inner: str, tmp_path: Path
) -> None:
    array, path = random_image(20, 30), tmp_path / "a.zarr"
    if inner:
        zarr.create_group(path, zarr_format=layout.get("zarr_format", 3))
    stored = zarr.create_array(
        path, name=inner or None, shape=array.shape, chunks=(8, 8), dtype="u2", fill_value=7,
        **layout,
    )  # fmt: skip
    stored[...] = array
    for at in ((0, 1), (2, 3)):
        (path / inner / stored.metadata.encode_chunk_key(at)).unlink()
    array[:8, 8:16] = array[16:, 24:] = 7
    with open_stack(path / inner) as stack:
        assert stack.absent_chunks == 0
        assert stack.fill_value == 7
        stack.extract_patch(0, None, (0, 0), (8, 8))
        assert stack.absent_chunks == 0
        stack.extract_patch(0, None, (7, 15), (1, 1))
        assert stack.absent_chunks == 1
        check_pixels(stack, array, "YX")
        assert stack.absent_chunks == 2
        assert stack.count_absent() == (2, 12)


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("compressors", ["auto", None])
def test_shards_and_the_chunks_they_leave_out(
    location: str, compressors: Any, tmp_path: Path
) -> None:
    """Of three rows of shards the first lacks chunks, the second is not there, the third is whole.

    The image ends within the last shards: what lies beyond it is not absent.
    """
    array, path = random_image(20, 30), tmp_path / "a.zarr"
    array[:8, :16] = 0
    array[0, 4] = 1
    codec = {"shape": (8, 16), "index_location": location}
    store_array(path, array, 4, shards=codec, compressors=compressors)
    with zarr.config.set({"array.write_empty_chunks": False}):
        assert read_index_of(path) == 7, "the first shard leaves out 7 of its 8 chunks"
    for column in (0, 1):
        remove_chunk(path, f"c/1/{column}")
    array[8:16] = 0
    with open_stack(path) as stack:
        stack.extract_patch(0, None, (1, 5), (2, 2))
        assert stack.absent_chunks == 7, "as soon as the index is read"
        stack.extract_patch(0, None, (9, 3), (2, 2))
        stack.extract_patch(0, None, (12, 8), (2, 2))
        assert stack.absent_chunks == 7 + 1
        check_pixels(stack, array, "YX")
        assert stack.absent_chunks == 7 + 2
        assert stack.count_absent() == (2, 6)
    with open_stack(path) as stack:
        np.testing.assert_array_equal(read_whole(stack)[0], array)
        assert stack.absent_chunks == 7 + 2, "from shards read whole too"


def read_index_of(path: Path) -> int:
    shard = zarr.open_array(path, mode="r")
    index = np.frombuffer((path / "c" / "0" / "0").read_bytes(), "u1")
    codec = shard.metadata.codecs[0]
    part = index[: 8 * 16] if codec.index_location.value == "start" else index[-8 * 16 - 4 : -4]
    return int((part.copy().view("<u8").reshape(-1, 2) == 2**64 - 1).all(axis=1).sum())


@settings(max_examples=15)
@given(data=st.data())
def test_the_count_is_that_of_the_chunks_met(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 12)] * 3))
    chunks = data.draw(st.tuples(*[st.integers(1, 5)] * 3))
    grid = [-(-n // c) for n, c in zip(shape, chunks, strict=True)]
    present = {p for p in np.ndindex(*grid) if data.draw(st.booleans())}
    stored = zarr.create_array(MemoryStore(), shape=shape, chunks=chunks, dtype="u1", fill_value=0)
    for at in present:
        stored[tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, chunks, strict=True))] = 1
    stack = open_stack(stored, "ZYX")
    met: set[tuple[int, ...]] = set()
    for _ in range(3):
        start = [data.draw(st.integers(-2, n)) for n in shape]
        size = [data.draw(st.integers(1, n + 2)) for n in shape]
        stack.extract_patch(0, None, start, size)
        spans = [
            range(max(a, 0) // c, -(-min(a + n, length) // c)) if a < length and a + n > 0 else []
            for a, n, length, c in zip(start, size, shape, chunks, strict=True)
        ]
        met |= {(z, y, x) for z in spans[0] for y in spans[1] for x in spans[2]}
        assert stack.absent_chunks == len(met - present)
    assert stack.count_absent() == (int(np.prod(grid)) - len(present), int(np.prod(grid)))


def test_readers_in_several_threads_count_each_chunk_once(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(64, 64), chunks=(4, 4), dtype="u1")
    corners = [(y, x) for y in range(0, 64, 8) for x in range(0, 64, 8)]
    with ZarrStack(path) as stack, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda at: stack.extract_patch(0, None, at, (9, 9)), corners * 2))
        assert stack.absent_chunks == 256


class PassingOn(WrapperStore[Any]):
    """A store of a user's own around another."""


@pytest.mark.parametrize("wrap", [PassingOn, LoggingStore, lambda s: PassingOn(PassingOn(s))])
def test_an_array_that_is_handed_in_is_left_as_it_is(wrap: Any, tmp_path: Path) -> None:
    array = random_image(16, 16)
    store_array(tmp_path / "a.zarr", array, fill_value=3)
    remove_chunk(tmp_path / "a.zarr", "c/1/1")
    array[8:, 8:] = 3
    given = zarr.open_array(wrap(LocalStore(tmp_path / "a.zarr")), mode="r+")
    before = given.store
    with ZarrStack(given) as stack:
        check_pixels(stack, array, "YX")
        assert stack.absent_chunks == 1
        assert stack.source == str(tmp_path / "a.zarr")
        assert read_origins(stack) == (tmp_path / "a.zarr",)
        assert stack.count_absent() == (1, 4)
    assert given.store is before
    np.testing.assert_array_equal(given[...], array), "still open"


def test_a_zip_that_is_handed_in_stays_open(tmp_path: Path) -> None:
    array = random_image(16, 16)
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        store_array(store, array[:, :8])
        with ZarrStack(zarr.open_array(store)) as stack:
            check_pixels(stack, array[:, :8], "YX")
    with ZipStore(tmp_path / "a.zip", mode="r") as store:
        given = zarr.open_array(store, mode="r")
        with ZarrStack(given) as stack:
            check_pixels(stack, array[:, :8], "YX")
            assert stack.absent_chunks == 0
            assert stack.count_absent() == (0, 2)
            assert stack.source == str(tmp_path / "a.zip")
        np.testing.assert_array_equal(given[...], array[:, :8])


def layer(data: Any) -> SimpleNamespace:
    scale, translate = np.ones(data.ndim), np.zeros(data.ndim)
    return SimpleNamespace(
        data=data, rgb=False, multiscale=False, name="cells", scale=scale, translate=translate
    )


def test_a_layer_over_zarr_counts_too() -> None:
    array = random_image(16, 16)
    stored = zarr.create_array(MemoryStore(), shape=array.shape, chunks=(8, 8), dtype="u2")
    stored[:8] = array[:8]
    array[8:] = 0
    shown = layer(stored)
    stack = LayerStack(shown, "YX")
    check_pixels(stack, array, "YX")
    assert (stack.absent_chunks, stack.fill_value) == (2, 0)
    assert SampleView(stack, "").absent_chunks == 2
    assert shown.data is stored
    plain = LayerStack(layer(array), "YX")
    read_whole(plain)
    assert (plain.absent_chunks, plain.fill_value, plain.count_absent()) == (0, None, None)


@pytest.mark.parametrize("fill", [None, np.nan, -1.5])
def test_any_fill_value(fill: Any, tmp_path: Path) -> None:
    stored = zarr.create_array(
        tmp_path / "a.zarr", shape=(8, 8), chunks=(4, 4), dtype="f4", fill_value=fill, zarr_format=2
    )
    stored[:4] = 5
    with open_stack(tmp_path / "a.zarr") as stack:
        found = read_whole(stack)[0]
        np.testing.assert_array_equal(found[:4], 5)
        np.testing.assert_array_equal(found[4:], 0 if fill is None else np.float32(fill))
        np.testing.assert_array_equal(stack.fill_value, 0 if fill is None else np.float32(fill))
        assert stack.absent_chunks == 2


def test_large_grids_cost_nothing_to_open() -> None:
    """Shapes that metadata may claim; no chunk is there."""
    stored = zarr.create_array(MemoryStore(), shape=(10**9,) * 3, chunks=(1, 2, 2), dtype="u1")
    stack = open_stack(stored, "ZYX")
    stack.extract_patch(0, None, (10**9 - 1, 7, 10**9 - 3), (1, 4, 2))
    assert stack.absent_chunks == 6
    assert stack.count_absent() is None


def test_an_array_that_grows_while_it_is_open_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(4, 8, 8), 4)
    with open_stack(path, "TYX") as stack:
        grown = zarr.open_array(path, mode="r+")
        grown.append(random_image(4, 8, 8))
        grown.attrs["note"] = "still acquiring"
        remove_chunk(path, "c/0/1/1")
        assert (stack.extract_patch(0, None, (4, 4), (4, 4)) == 0).all()
        assert stack.absent_chunks == 1


def test_consolidated_metadata_alone_stand_for_the_array() -> None:
    """Where a server has no others: of an array that has its own these would be asked."""
    files, array = fsspec.filesystem("memory"), random_image(1, 1, 16, 16)
    store = FsspecStore.from_url("memory://lone/a.zarr")
    ome_image(store, array, "0.4")
    zarr.consolidate_metadata(store, zarr_format=2)
    try:
        for lost in (".zarray", "0.0.1.2"):
            files.rm(f"/lone/a.zarr/0/{lost}")
        array[:, :, 4:8, 8:12] = 0
        for source in ("memory://lone/a.zarr", "memory://lone/a.zarr/0"):
            with open_stack(source) as stack:
                check_pixels(stack, array, "TCYX")
                assert stack.absent_chunks == 1
    finally:
        files.store.clear()
