"""Kills (kill -9) of who hands out blocks and of who does them: what is entered stands."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_tessera.writing import read_unfinished
from napari_tessera.writing.stored.block_ledger import BLOCKS_NAME
from napari_tessera.writing.stored.crossing import stored_cut

from .block_runs import check_same, clipping_pixels

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


class Runner:
    """Runs in processes of their own, forked from one that has the engine loaded."""

    def __init__(self, source: Path, dtype: str) -> None:
        self._job = {"source": str(source), "dtype": dtype}
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killed_blocks.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, store: Path, role: str, *, dies: bool = False, **asked: Any) -> int:
        """Run to the end or the kill; returns how many file events there were."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        line = json.dumps({**self._job, "store": str(store), "as": role, **asked})
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        assert answer["status"] == (-signal.SIGKILL if dies else 0), asked
        return int(answer["events"])

    def close(self) -> None:
        self._server.communicate(timeout=30)


@pytest.fixture(scope="module", params=["int8", "float32"])
def runner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    source = tmp_path_factory.mktemp("input") / "in.npy"
    np.save(source, clipping_pixels())
    runner = Runner(source, request.param)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def whole(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process leaves that nothing stops."""
    path = tmp_path_factory.mktemp("whole") / "x.ome.zarr"
    runner.run(path, "alone")
    return path


def check_entered(path: Path, whole: Path) -> None:
    """What is entered in either ledger is on disk."""
    try:
        group = zarr.open_group(path, mode="r")
        stored = group.attrs["napari_tessera"]
        array = group["0"]
    except (FileNotFoundError, KeyError):
        return
    expected = zarr.open_array(whole / "0", mode="r")
    cut = stored_cut(stored)
    if cut is not None and BLOCKS_NAME in group:
        for number in np.flatnonzero(group[BLOCKS_NAME][:, 0]).tolist():
            window = cut.window(number)
            np.testing.assert_array_equal(array[window], expected[window])
    run = read_unfinished(path)
    assert run is not None
    assert len(run.done) <= run.n_done <= run.total_tiles


def test_a_worker_is_killed_in_its_block_and_another_does_it(
    runner: Runner, whole: Path, tmp_path: Path
) -> None:
    path, choice = tmp_path / "x.ome.zarr", random.Random(2)
    runner.run(path, "begin")
    run_id = zarr.open_group(path, mode="r").attrs["napari_tessera"]["blocks"]["run"]
    for number in choice.sample(range(20), 6):
        asked = {"run_id": run_id, "number": number}
        runner.run(path, "worker", dies=True, die_at=choice.randrange(32), **asked)
        check_entered(path, whole)
        if choice.random() < 0.5:
            runner.run(path, "worker", **asked)
            assert zarr.open_array(path / BLOCKS_NAME, mode="r")[number, 0] == 1
    # what the killed ones had half written is in nobody's way
    runner.run(path, "all", resume=True)
    check_same(whole, path)


@pytest.mark.slow
def test_who_does_everything_is_killed_at_any_moment(
    runner: Runner, whole: Path, tmp_path: Path
) -> None:
    unstopped = tmp_path / "x.ome.zarr"
    events = runner.run(unstopped, "all")
    check_same(whole, unstopped)
    choice = random.Random(0)
    for number, event in enumerate(sorted(choice.sample(range(events), 8))):
        path = tmp_path / str(number) / "x.ome.zarr"
        path.parent.mkdir()
        runner.run(path, "all", die_at=event, dies=True)
        check_entered(path, whole)
        runner.run(path, choice.choice(["all", "alone"]), resume=True, seed=number)
        check_same(whole, path)


@pytest.mark.slow
def test_a_run_is_killed_while_it_changes_hands(
    runner: Runner, whole: Path, tmp_path: Path
) -> None:
    """Where one ledger takes the place of the other, whichever way."""
    choice = random.Random(1)
    for before, after in (("alone", "all"), ("all", "alone")):
        begun = tmp_path / before / "x.ome.zarr"
        begun.parent.mkdir()
        runner.run(begun, before, stop_after=20 if before == "alone" else 8)
        n_done = read_unfinished(begun).n_done
        assert 0 < n_done < read_unfinished(begun).total_tiles
        for number, event in enumerate(sorted(choice.sample(range(180), 5))):
            path = tmp_path / f"{before}{number}" / "x.ome.zarr"
            shutil.copytree(begun, path)
            runner.run(path, after, resume=True, die_at=event, dies=True)
            check_entered(path, whole)
            runner.run(path, choice.choice(["all", "alone"]), resume=True, seed=number)
            check_same(whole, path)
