"""Runs that are killed (kill -9) at any moment: what is done stands, and resume is exact."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_tessera.prediction import PredictionPlan

N_TILES = 400
ROW = 20
SIZE = 1162
SETTINGS = {"patch_size": 60, "overlaps": 2, "batch_size": 1}
CHUNKS = (96, 128)
"""Neither is a multiple of a tile's 58 px: most tiles lie over several chunks."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status, tiles finished by it, runs of the model, file events.

    Of a run that was cancelled also how many events there had been.
    """

    status: int
    finished: list[int]
    forwards: int
    events: int
    events_at_stop: int | None = None


class Runner:
    """Runs in processes of their own, forked from one that has the engine loaded."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killed_runs.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        store: Path,
        *,
        resume: bool = False,
        die_at: int | None = None,
        kill_after: int | None = None,
        stop_after: int | None = None,
        **settings: Any,
    ) -> Ended:
        """Run to the end, or to a kill before a file event, or from outside after some tiles."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        job = {
            "source": str(self.source),
            "store": str(store),
            "resume": resume,
            "die_at": die_at,
            "stop_after": stop_after,
            "settings": settings,
        }
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        pid, facts = 0, {"finished": [], "forwards": 0, "events": 0}
        for line in self._server.stdout:
            answer = json.loads(line)
            if "status" in answer:
                return Ended(answer["status"], **facts)
            pid = answer.get("pid", pid)
            if "finished" in answer:
                facts = answer
            elif pid and kill_after is not None and answer.get("tiles", 0) >= kill_after:
                os.kill(pid, signal.SIGKILL)
                kill_after = None
        raise AssertionError("the process that forks runs has ended")

    def close(self) -> None:
        self._server.communicate(timeout=30)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    source = tmp_path_factory.mktemp("input") / "in.npy"
    np.save(source, np.random.default_rng(0).integers(0, 4000, (SIZE, SIZE)).astype(np.uint16))
    runner = Runner(source)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def whole(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """What nothing stops."""
    store = tmp_path_factory.mktemp("whole") / "x.ome.zarr"
    ended = runner.run(store, chunks=CHUNKS, **SETTINGS)
    assert ended.status == 0
    assert sorted(ended.finished) == list(range(N_TILES))
    assert ended.forwards == N_TILES
    return store, ended


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, but for the group's: it tells the time."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and (name := file.relative_to(folder).as_posix()) != "x.ome.zarr/zarr.json"
    }


def cores(store: Path) -> list[tuple[slice, ...]]:
    """Where each tile's core lies."""
    plan = json.dumps(zarr.open_group(store, mode="r").attrs["napari_tessera"]["plan"])
    tiles = PredictionPlan.from_json(plan).tiles
    return [tiles.block(tile) for tile in range(N_TILES)]


def left_by(store: Path) -> tuple[set[int], set[int]]:
    """Tiles that the ledger of a killed run names, and those all of whose pixels are on disk."""
    try:
        group = zarr.open_group(store, mode="r")
        pixels = np.asarray(group["0"][:])
        # once all is said to be there, the ledger goes
        finished = group.attrs["napari_tessera"]["completed"]
        entries = np.ones(N_TILES) if finished else np.asarray(group["tessera_ledger"][:])
    except (FileNotFoundError, KeyError):
        return set(), set()
    there = np.isfinite(pixels)
    on_disk = {tile for tile, core in enumerate(cores(store)) if there[core].all()}
    return {int(tile) for tile in np.flatnonzero(entries)}, on_disk


@pytest.mark.slow
def test_25_runs_killed_at_random_moments_go_on_to_the_same_bytes(
    runner: Runner, whole: tuple[Path, Ended], tmp_path: Path
) -> None:
    store, unstopped = whole
    expected = hashes(store.parent)
    choice = random.Random(0)
    # before any look at, or change of, a file of the store, then some from outside
    moments: list[dict[str, int]] = [
        {"die_at": event} for event in choice.sample(range(unstopped.events), 20)
    ]
    moments += [{"kill_after": tile} for tile in choice.sample(range(1, N_TILES - ROW), 5)]
    done_before = []
    for number, moment in enumerate(moments):
        killed = tmp_path / str(number) / "x.ome.zarr"
        killed.parent.mkdir()
        ended = runner.run(killed, chunks=CHUNKS, **SETTINGS, **moment)
        assert ended.status == -signal.SIGKILL, moment
        in_ledger, on_disk = left_by(killed)
        # what the ledger names is there; of what is there and not named, a row of chunks at most
        assert in_ledger <= on_disk, moment
        assert len(on_disk - in_ledger) <= 2 * ROW, moment
        done_before.append(len(in_ledger))

        resumed = runner.run(killed, resume=True, chunks=CHUNKS, **SETTINGS)
        assert resumed.status == 0, moment
        # each that was not in the ledger once, no other
        assert sorted(resumed.finished) == sorted(set(range(N_TILES)) - in_ledger), moment
        assert resumed.forwards == len(resumed.finished), moment
        assert hashes(killed.parent) == expected, moment
    # kills came at the begin and at the end too
    assert min(done_before) < 100
    assert max(done_before) > 300


@pytest.mark.slow
def test_a_run_killed_again_and_again_comes_to_its_end(
    runner: Runner, whole: tuple[Path, Ended], tmp_path: Path
) -> None:
    store, unstopped = whole
    killed = tmp_path / "x.ome.zarr"
    choice = random.Random(1)
    known: set[int] = set()
    for attempt in range(6):
        ended = runner.run(
            killed,
            resume=attempt > 0,
            die_at=choice.randrange(40, unstopped.events // 3),
            chunks=CHUNKS,
            **SETTINGS,
        )
        in_ledger, _ = left_by(killed)
        if ended.status == 0:
            break
        assert known <= in_ledger
        known = in_ledger
    assert known
    runner.run(killed, resume=True, chunks=CHUNKS, **SETTINGS)
    assert hashes(tmp_path) == hashes(store.parent)


@pytest.mark.slow
def test_runs_killed_while_they_are_stopped_go_on_to_the_same_bytes(
    runner: Runner, whole: tuple[Path, Ended], tmp_path: Path
) -> None:
    """In the flush of a cancelled run, which writes chunks of every level before they are full."""
    stopped = tmp_path / "stopped" / "x.ome.zarr"
    stopped.parent.mkdir()
    ended = runner.run(stopped, stop_after=170, chunks=CHUNKS, **SETTINGS)
    assert ended.status == 0
    assert ended.events_at_stop is not None
    in_ledger, _ = left_by(stopped)
    assert sorted(ended.finished) == sorted(in_ledger)
    assert zarr.open_group(stopped, mode="r").attrs["napari_tessera"]["partial_levels"] is True
    flush = range(ended.events_at_stop, ended.events)
    assert len(flush) > 50
    killed_flushing = []
    for number, event in enumerate(random.Random(2).sample(flush, 6)):
        killed = tmp_path / str(number) / "x.ome.zarr"
        killed.parent.mkdir()
        died = runner.run(killed, stop_after=170, die_at=event, chunks=CHUNKS, **SETTINGS)
        killed_flushing.append(died.status == -signal.SIGKILL)
        assert runner.run(killed, resume=True, chunks=CHUNKS, **SETTINGS).status == 0
        assert hashes(killed.parent) == hashes(whole[0].parent), event
    # how many tiles come after the cancel is not known to the tile
    assert sum(killed_flushing) >= 4
    # and one that was stopped, then killed when it went on
    for event in random.Random(3).sample(range(150), 3):
        again = runner.run(stopped, resume=True, die_at=event, chunks=CHUNKS, **SETTINGS)
        assert again.status == -signal.SIGKILL
    assert runner.run(stopped, resume=True, chunks=CHUNKS, **SETTINGS).status == 0
    assert hashes(stopped.parent) == hashes(whole[0].parent)


@pytest.mark.slow
def test_runs_inside_a_shape_that_are_killed_go_on_to_the_same_bytes(
    runner: Runner, tmp_path: Path
) -> None:
    ring = [[100, 500], [600, 1000], [1100, 500], [600, 100], [100, 500], [400, 500], [600, 300]]
    settings = {**SETTINGS, "chunks": CHUNKS, "inside": [[*ring, [800, 500], [600, 700]]]}
    store = tmp_path / "whole" / "x.ome.zarr"
    store.parent.mkdir()
    unstopped = runner.run(store, **settings)
    group = zarr.open_group(store, mode="r")
    kept = set(np.flatnonzero(group["tessera_ledger"][:] == 1).tolist())
    assert sorted(unstopped.finished) == sorted(kept)
    assert N_TILES / 4 < len(kept) < N_TILES / 2
    for number, event in enumerate(random.Random(4).sample(range(unstopped.events), 10)):
        killed = tmp_path / str(number) / "x.ome.zarr"
        killed.parent.mkdir()
        ended = runner.run(killed, **settings, die_at=event)
        assert ended.status == -signal.SIGKILL, event
        resumed = runner.run(killed, resume=True, **settings)
        assert resumed.status == 0, event
        assert set(resumed.finished) <= kept, event
        assert hashes(killed.parent) == hashes(store.parent), event


def test_the_kills_hit_the_run_that_is_tested(runner: Runner, whole: tuple[Path, Ended]) -> None:
    """The grid has 400 tiles, and the store that is compared holds what the model makes."""
    store, unstopped = whole
    assert len(cores(store)) == N_TILES
    assert unstopped.events > 400
    pixels = np.asarray(zarr.open_group(store, mode="r")["0"][:])
    assert pixels.shape == (SIZE, SIZE)
    assert np.isfinite(pixels).all()
    raw = np.load(runner.source).astype(np.float64)
    inner = np.s_[1:-1, 1:-1]
    sums = sum(raw[y : y + SIZE - 2, x : x + SIZE - 2] for y in range(3) for x in range(3))
    np.testing.assert_allclose(pixels[inner], 2 * raw[inner] - 0.1 * sums, rtol=1e-4, atol=1e-2)
