from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zarr.storage import LocalStore

from napari_tessera.writing import WriteTilesZarr, read_unfinished
from napari_tessera.writing.stored import image_run
from napari_tessera.writing.stored.ledger import LEDGER_NAME
from napari_tessera.writing.stored.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_done_again_after_a_multiple_of_the_time_it_took() -> None:
    clock = Clock()
    pace = Pace(1 / 10, longest=60, clock=clock)
    assert pace.due
    with pace.taking():
        clock.now += 2
    assert not pace.due
    clock.now += 19
    assert not pace.due
    clock.now += 1
    assert pace.due


def test_what_is_slow_is_waited_for_no_longer_than_said() -> None:
    clock = Clock()
    pace = Pace(1 / 50, longest=5, clock=clock)

    def fail() -> None:
        with pace.taking():
            clock.now += 3
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert not pace.due
    clock.now += 5
    assert pace.due


def test_a_ledger_is_saved_now_and_then_and_whole_when_a_run_stops(
    tmp_path: Path,
    tiled_image: Any,
    counting_store: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = tiled_image("YX", (96, 96), (24, 24), (8, 8))
    clock = Clock()
    monkeypatch.setattr(image_run, "Pace", lambda: Pace(1, longest=10, clock=clock))
    store = counting_store(LocalStore(tmp_path / "a.zarr"))
    writer = WriteTilesZarr(store, chunks=16, pyramid=False)
    writer.open(image.run())
    for tile in range(20):
        writer.write_batch(tmp_path, [image.tile(tile)])
        # no time goes by while a tile is saved, a second while one is predicted
        clock.now += 1
        if tile == 9:
            assert saved(store) > 0
            before = saved(store)
            monkeypatch.setattr(clock, "now", -1e6)
    assert saved(store) == before
    writer.close(False)
    assert saved(store) == before + 1
    stored = read_unfinished(LocalStore(tmp_path / "a.zarr"))
    assert stored is not None
    assert stored.done == list(range(20))


def test_few_tiles_wait_for_their_entry_however_slow_saving_is(
    tmp_path: Path,
    tiled_image: Any,
    counting_store: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = tiled_image("YX", (256, 256), (24, 24), (8, 8))
    monkeypatch.setattr(image_run, "Pace", lambda: Never())
    store = counting_store(LocalStore(tmp_path / "a.zarr"))
    writer = WriteTilesZarr(store, chunks=16, pyramid=False)
    writer.open(image.run())
    for tile in image.tiles():
        writer.write_batch(tmp_path, [tile])
    assert 10 < saved(store) < image.n_tiles // 8
    writer.close(True)


class Never(Pace):
    due = False  # type: ignore[assignment]


def saved(store: Any) -> int:
    counts: Counter[str] = store.sets
    return sum(n for key, n in counts.items() if key.startswith(f"{LEDGER_NAME}/c"))
