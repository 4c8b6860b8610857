from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_tessera.writing.places.keys import keys_in
from napari_tessera.writing.stored.block_ledger import (
    BLOCKS_NAME,
    BlockEntry,
    create_block_ledger,
    enter_block,
    open_block_ledger,
    read_entries,
    remove_block_ledger,
)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("local", [True, False])
def test_each_entry_is_an_object_of_its_own(tmp_path: Path, zarr_format: int, local: bool) -> None:
    store = tmp_path / "x.zarr" if local else MemoryStore()
    group = zarr.create_group(store, zarr_format=zarr_format)
    array = create_block_ledger(group, 300)
    assert not read_entries(array).any()
    before = set(_keys(group))
    entries = {
        7: BlockEntry(1, 12, 3, 0),
        299: BlockEntry(1, 0, 0, 2**40),
        0: BlockEntry(1, 1, 0, 5),
    }
    for number, entry in entries.items():
        enter_block(array, number, entry)
    assert len(set(_keys(group)) - before) == 3
    expected = np.zeros((300, 4), np.int64)
    for number, entry in entries.items():
        expected[number] = entry
    again = open_block_ledger(zarr.open_group(store, mode="r"), 300)
    assert again is not None
    np.testing.assert_array_equal(read_entries(again), expected)
    # as any reader of Zarr finds it
    np.testing.assert_array_equal(again[:], expected)

    remove_block_ledger(group)
    assert BLOCKS_NAME not in group
    assert open_block_ledger(group, 300) is None
    remove_block_ledger(group)


def test_what_is_cut_off_or_of_another_cut_counts_as_none(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "x.zarr")
    array = create_block_ledger(group, 4)
    for number in range(4):
        enter_block(array, number, BlockEntry(1, 2, 0, 0))
    entry = tmp_path / "x.zarr" / BLOCKS_NAME / "c/2/0"
    entry.write_bytes(entry.read_bytes()[:31])
    (tmp_path / "x.zarr" / BLOCKS_NAME / "c/3/0").write_bytes(b"\x02" + bytes(31))
    assert read_entries(array)[:, 0].tolist() == [1, 1, 0, 0]
    assert open_block_ledger(group, 5) is None
    for damaged in ("", "{", '{"zarr_format": 3, "node_type": "array"}'):
        (tmp_path / "x.zarr" / BLOCKS_NAME / "zarr.json").write_text(damaged)
        assert open_block_ledger(group, 4) is None
    # a new one has nothing of the old one
    assert not read_entries(create_block_ledger(group, 4)).any()
    group.create_array("other", shape=(4, 4), dtype="int32")
    (tmp_path / "x.zarr" / BLOCKS_NAME).rename(tmp_path / "gone")
    (tmp_path / "x.zarr" / "other").rename(tmp_path / "x.zarr" / BLOCKS_NAME)
    assert open_block_ledger(group, 4) is None


def _keys(group: zarr.Group) -> list[str]:
    return keys_in(group.store)
