"""Indices of shards that are kept for one pass over an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from napari_tessera.stacks import StackReadError, open_stack
from napari_tessera.stacks.read_once import read_once
from napari_tessera.stacks.zarr.kept_indices import KeptIndices
from napari_tessera.stacks.zarr.shard_index import ShardIndex

from .counting_store import CountingStore
from .zarr_files import random_image, store_array

PROTOTYPE = default_buffer_prototype()
SHARDS: dict[str, Any] = {"chunks": (4, 4), "shards": (8, 16)}


def index_of(store: Any) -> ShardIndex:
    store_array(store, random_image(16, 32), **SHARDS)
    index = ShardIndex.of(zarr.open_array(store, mode="r+"))
    assert index is not None
    return index


def test_the_indices_used_last_are_kept() -> None:
    index = index_of(MemoryStore())
    asked = SuffixByteRequest(index.size)
    kept = KeptIndices(index, limit=2 * index.size)
    buffers = {key: PROTOTYPE.buffer.from_bytes(key.encode() * index.size) for key in "abc"}
    for key in "ab":
        kept.note(key, asked, buffers[key])
    assert kept.get("a", PROTOTYPE, asked) is not None
    kept.note("c", asked, buffers["c"])
    found = {key: kept.get(key, PROTOTYPE, asked) for key in "abc"}
    assert found["b"] is None
    for key in "ac":
        assert found[key] is not None
        assert found[key].to_bytes() == buffers[key].to_bytes()


@pytest.mark.parametrize("other", [None, SuffixByteRequest(3), RangeByteRequest(0, 7)])
def test_nothing_else_is_taken_for_an_index(other: Any) -> None:
    index = index_of(MemoryStore())
    asked = SuffixByteRequest(index.size)
    kept = KeptIndices(index)
    value = PROTOTYPE.buffer.from_bytes(b"x" * index.size)
    kept.note("a", other, value)
    assert kept.get("a", PROTOTYPE, asked) is None
    kept.note("a", asked, value)
    assert kept.get("a", PROTOTYPE, other) is None


def test_they_are_read_once_in_a_pass_and_anew_without() -> None:
    counting = CountingStore(MemoryStore())
    image = store_array(counting, random_image(16, 32), **SHARDS)
    with open_stack(zarr.open_array(counting, mode="r+"), "YX") as stack:
        for used, most in ((read_once(stack), 1), (stack, 4)):
            counting.reads.clear()
            for x in range(4):
                patch = used.extract_patch(0, None, (0, 4 * x), (4, 4))
                np.testing.assert_array_equal(patch[0], image[:4, 4 * x : 4 * x + 4])
            [reads] = {n for (_, part), n in counting.reads.items() if hasattr(part, "suffix")}
            assert reads == most


def test_a_shard_that_is_cut_off_or_gone_meanwhile(tmp_path: Path) -> None:
    store_array(tmp_path / "a", random_image(16, 32), **SHARDS)
    file = tmp_path / "a" / "c" / "0" / "0"
    with open_stack(tmp_path / "a", "YX") as stack:
        once = read_once(stack)
        once.extract_patch(0, None, (0, 0), (4, 4))
        file.write_bytes(file.read_bytes()[:50])
        with pytest.raises(StackReadError, match=r"shard c/0/0.* at Y=4…7 X=12…15: it is cut off"):
            once.extract_patch(0, None, (4, 12), (4, 4))
        file.unlink()
        assert (once.extract_patch(0, None, (4, 4), (4, 4)) == 0).all()
        assert stack.absent_chunks == 1
