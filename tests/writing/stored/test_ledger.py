from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing import Ledger
from napari_tessera.writing.stored.ledger import (
    ENTRIES_PER_CHUNK,
    LEDGER_NAME,
    SKIPPED,
    read_clipped,
    read_done,
    remove_ledger,
)


@given(
    batches=st.lists(st.dictionaries(st.integers(0, 49), st.integers(0, 9)), max_size=5),
    counting=st.booleans(),
)
def test_what_was_entered_is_read_back(batches: list[dict[int, int]], counting: bool) -> None:
    group = zarr.create_group(MemoryStore())
    ledger = Ledger(group, 50, count_clipped=counting)
    clipped: dict[int, int] = {}
    for batch in batches:
        ledger.mark_done(batch, batch)
        clipped.update(batch)
    for again in (ledger, Ledger(group, 50, count_clipped=counting)):
        assert again.done_tiles() == sorted(clipped)
        assert [tile for tile, done in enumerate(again.done()) if done] == sorted(clipped)
        assert again.clipped_pixels == (sum(clipped.values()) if counting else 0)
        assert again.complete == (len(clipped) == 50)
    assert read_done(group) == ledger.done()


def test_a_tile_entered_again_is_counted_once() -> None:
    ledger = Ledger(zarr.create_group(MemoryStore()), 3, count_clipped=True)
    ledger.mark_done([1], {1: 5})
    ledger.mark_done([1], {1: 5})
    assert ledger.clipped_pixels == 5


def test_only_the_chunks_that_changed_are_written(counting_store: Callable[..., Any]) -> None:
    store = counting_store(MemoryStore())
    group = zarr.create_group(store)
    ledger = Ledger(group, 3 * ENTRIES_PER_CHUNK)
    ledger.mark_done([0, 1, 2 * ENTRIES_PER_CHUNK])
    ledger.mark_done([])
    assert store.chunk_sets(f"{LEDGER_NAME}/") == {
        f"{LEDGER_NAME}/c/0": 1,
        f"{LEDGER_NAME}/c/2": 1,
    }


def test_removed_it_leaves_nothing() -> None:
    group = zarr.create_group(MemoryStore())
    Ledger(group, 4, count_clipped=True).remove()
    assert list(group) == []
    assert read_done(group) is None


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("path", ["", "inner"])
def test_what_a_removal_that_was_cut_short_left_is_removed(
    tmp_path: Path, zarr_format: Any, path: str
) -> None:
    group = zarr.create_group(LocalStore(tmp_path), path=path, zarr_format=zarr_format)
    ledger = Ledger(group, 4, count_clipped=True)
    ledger.mark_done([1], {1: 2})
    for file in (tmp_path / path / LEDGER_NAME).iterdir():
        if file.is_file():
            file.unlink()
    for file in (tmp_path / path / f"{LEDGER_NAME}_clipped").rglob("*"):
        if file.is_file():
            file.unlink()
    remove_ledger(group)
    names = {entry.name for entry in (tmp_path / path).iterdir()}
    assert not any(LEDGER_NAME in name for name in names)
    remove_ledger(group)


def test_a_ledger_of_another_run_is_refused() -> None:
    group = zarr.create_group(MemoryStore())
    Ledger(group, 4)
    with pytest.raises(ValueError, match="was begun with 4 tiles, this run has 5: overwrite it"):
        Ledger(group, 5)
    group.create_group("other")
    with pytest.raises(ValueError, match=r"other in it is no list .* that are done: overwrite it"):
        Ledger(group, 5, "other")


def test_a_group_holds_the_ledgers_of_several_runs_of_either_format() -> None:
    for zarr_format in (2, 3):
        group = zarr.create_group(MemoryStore(), zarr_format=zarr_format)
        one = Ledger(group, 4, "a_ledger", count_clipped=True)
        other = Ledger(group, 5, "b_ledger", count_clipped=True)
        one.mark_done([1], {1: 3})
        other.mark_done([4])
        assert Ledger(group, 4, "a_ledger", count_clipped=True).clipped_pixels == 3
        assert (one.done_tiles(), other.done_tiles()) == ([1], [4])
        one.remove()
        assert sorted(group) == ["b_ledger", "b_ledger_clipped"]
        assert read_done(group, "b_ledger") == other.done()


def test_what_could_not_be_entered_is_entered_later(monkeypatch: pytest.MonkeyPatch) -> None:
    group = zarr.create_group(MemoryStore())
    ledger = Ledger(group, 9, count_clipped=True)
    ledger.mark_done([0], {0: 2})

    async def failing(self: MemoryStore, key: str, value: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "set", failing)
        with pytest.raises(OSError, match="No space left"):
            ledger.mark_done(range(1, 9), {1: 5})
    assert (ledger.n_done, ledger.complete) == (1, False)
    assert Ledger(group, 9, count_clipped=True).done_tiles() == [0]
    ledger.mark_done([])
    again = Ledger(group, 9, count_clipped=True)
    assert (ledger.n_done, ledger.complete) == (again.n_done, again.complete) == (9, True)
    assert again.clipped_pixels == 7


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:7])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda ledger: [_cut(f) for f in (ledger / "c").rglob("*") if f.is_file()],
    "empty": lambda ledger: [f.write_bytes(b"") for f in (ledger / "c").rglob("*") if f.is_file()],
    "metadata": lambda ledger: (ledger / "zarr.json").write_text("{"),
    "other type": lambda ledger: zarr.create_array(
        LocalStore(ledger), shape=(9,), dtype="f4", overwrite=True
    ),
}


@pytest.mark.parametrize("name", [LEDGER_NAME, f"{LEDGER_NAME}_clipped"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_counts_as_empty(tmp_path: Path, name: str, damage: str) -> None:
    group = zarr.create_group(LocalStore(tmp_path))
    ledger = Ledger(group, 9, count_clipped=True)
    ledger.mark_done([2, 4], {2: 3})
    DAMAGES[damage](tmp_path / name)
    if name == LEDGER_NAME:
        assert read_done(group) is None
    again = Ledger(group, 9, count_clipped=True)
    assert (again.n_done, again.clipped_pixels, again.complete) == (0, 0, False)
    assert read_done(group) == bytes(9)
    again.mark_done([1], {1: 5})
    again = Ledger(group, 9, count_clipped=True)
    assert (again.done_tiles(), again.clipped_pixels) == ([1], 5)


def test_tiles_that_were_lost_wait_again() -> None:
    group = zarr.create_group(MemoryStore())
    ledger = Ledger(group, 9, count_clipped=True)
    ledger.mark_done(range(9), {2: 3, 4: 5})
    ledger.mark_waiting([4])
    for now in (ledger, Ledger(group, 9, count_clipped=True)):
        assert (now.n_done, now.clipped_pixels, now.complete) == (8, 3, False)
    ledger.mark_done([4], {4: 6})
    assert (ledger.complete, ledger.clipped_pixels) == (True, 9)


@pytest.mark.parametrize("n_tiles", [5, ENTRIES_PER_CHUNK + 7])
def test_all_that_waits_is_entered_without_naming_it(n_tiles: int) -> None:
    group = zarr.create_group(MemoryStore())
    skipped = np.zeros(n_tiles, bool)
    skipped[1:4] = True
    ledger = Ledger(group, n_tiles, skipped=skipped)
    assert not ledger.complete
    ledger.mark_rest_done()
    assert ledger.complete
    again = Ledger(group, n_tiles)
    assert again.n_done == n_tiles - 3
    assert np.flatnonzero(group[LEDGER_NAME][:] == SKIPPED).tolist() == [1, 2, 3]


def test_clipped_pixels_of_each_tile_are_read_where_they_are_counted() -> None:
    group = zarr.create_group(MemoryStore())
    assert read_clipped(group) is None
    Ledger(group, 4, count_clipped=True).mark_done([1, 3], {3: 70})
    counts = read_clipped(group)
    assert counts is not None
    assert counts.tolist() == [0, 0, 0, 70]
    assert read_clipped(group, "other") is None
