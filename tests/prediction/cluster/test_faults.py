"""What goes wrong on clusters, with real processes that really die."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from napari_tessera import predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.prediction.cluster import ClusterError, cluster_client
from napari_tessera.prediction.cluster import run as run_module
from napari_tessera.writing import read_unfinished

from .processes import start_scheduler, start_worker
from .scenes import SETTINGS, left_behind, one_machine, write_image, write_model

pytestmark = pytest.mark.slow

MOMENTS = 5


def own_tasks(client: Any) -> list[str]:
    keys = client.run_on_scheduler(lambda dask_scheduler: list(map(str, dask_scheduler.tasks)))
    return [key for key in keys if key.startswith("napari-tessera")]


@pytest.mark.parametrize("seed", [9, 10])
def test_killed_workers_cost_nothing_but_time(seed: int, tmp_path: Path) -> None:
    """kill −9 of one of three workers at ten moments in all: the same bytes each time."""
    image = write_image(tmp_path / "image.zarr", (12, 128, 128))
    model = write_model(tmp_path / "net.pt", 32)
    alone = one_machine(image, model, tmp_path / "alone.ome.zarr")
    draw = random.Random(seed)
    killed = 0
    with cluster_client("local", workers=3, threads_per_worker=1) as client:
        for moment in range(MOMENTS):
            at = draw.randrange(0, 120)
            out = tmp_path / f"{moment}.ome.zarr"

            def kill(progress: Progress, at: int = at, once: list[int] = []) -> None:  # noqa: B006
                nonlocal killed
                if progress.done >= at and not once:
                    once.append(at)
                    pids = client.run(os.getpid)
                    os.kill(draw.choice(sorted(pids.values())), signal.SIGKILL)
                    killed += 1

            predict_to_disk(image, model, out, client=client, progress=kill, **SETTINGS)
            assert left_behind(out) == alone, f"killed at tile {at}"
            assert own_tasks(client) == []
    assert killed == MOMENTS


def test_a_block_that_kills_its_workers_is_reported(tmp_path: Path) -> None:
    """Whatever process begins with one block ends: that one fails, all others are done."""
    image = write_image(tmp_path / "image.zarr", (4, 128, 128))
    model = write_model(tmp_path / "net.pt", 48)
    out = tmp_path / "a.ome.zarr"
    bad = 1
    with cluster_client("local", workers=2, threads_per_worker=1) as client:
        client.register_plugin(_deadly(bad))
        from napari_tessera import open_stack
        from napari_tessera.prediction.cluster.run import run_on_cluster
        from napari_tessera.prediction.saving import SaveOptions

        settings = {k: v for k, v in SETTINGS.items() if k != "chunks"}
        with open_stack(image) as stack:
            result = run_on_cluster(
                stack,
                model,
                SaveOptions().of(out),
                client=client,
                settings=settings,
                chunks=(32, 32),
            )
    assert [failed.number for failed in result.failed_blocks] == [bad]
    assert "process" in result.failed_blocks[0].message
    assert "ended" in result.failed_blocks[0].message
    assert result.n_done == result.total - len(result.failed_blocks[0].tiles)


def _deadly(bad: int) -> Any:
    """For workers, also those that start anew: a block ends the process that begins with it."""
    from distributed import WorkerPlugin

    class Deadly(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            from napari_tessera.prediction.cluster import worker_side

            predict = worker_side.predict_block

            def deadly(task: Any, number: int, **options: Any) -> Any:
                if number == bad:
                    os.kill(os.getpid(), signal.SIGKILL)
                return predict(task, number, **options)

            worker_side.predict_block = deadly

    return Deadly()


def test_scheduler_that_is_killed(image: Path, model: Path, alone: Any, tmp_path: Path) -> None:
    """One clear line, soon; the lock is gone, and another run goes on."""
    out = tmp_path / "a.ome.zarr"
    scheduler, address = start_scheduler()
    with scheduler, start_worker(address, tmp_path / "w"), cluster_client(address) as client:

        def kill(progress: Progress) -> None:
            if progress.done >= 10:
                scheduler.kill()

        with pytest.raises(ClusterError) as told:
            predict_to_disk(image, model, out, client=client, progress=kill, **SETTINGS)
    text = str(told.value)
    assert text.startswith(f"the scheduler at {address} is gone")
    assert "of 120 tiles are in" in text
    assert text.endswith("start the run again with resume")
    assert "\n" not in text
    stored = read_unfinished(out)
    assert stored is not None
    assert stored.state == "stopped"
    assert len(stored.done) >= 10
    predict_to_disk(image, model, out, resume=True, **SETTINGS)
    assert left_behind(out) == alone


def test_other_versions_are_refused(image: Path, model: Path, alone: Any, tmp_path: Path) -> None:
    """A worker of another version is named, and takes no block; alone it is an error."""
    preload = tmp_path / "older.py"
    preload.write_text("import napari_tessera\nnapari_tessera.__version__ = '0.0.7'\n")
    other_torch = tmp_path / "torch_older.py"
    other_torch.write_text(
        # Dask imports it twice
        "from importlib import metadata\n"
        "real = metadata.distribution\n"
        "metadata.version = lambda name: '2.0.0' if name == 'torch' else real(name).version\n"
    )
    # what it raises has a traceback that cannot be sent
    silent = tmp_path / "silent.py"
    silent.write_text(
        "from importlib import metadata\nmetadata.version = lambda name: metadata.version(name)\n"
    )
    scheduler, address = start_scheduler()
    out = tmp_path / "a.ome.zarr"
    with ExitStack() as stack:
        stack.enter_context(scheduler)
        client = stack.enter_context(cluster_client(address))
        stack.enter_context(start_worker(address, tmp_path / "w", "--preload", str(preload)))
        with pytest.raises(ClusterError, match="no worker can take part: worker tcp://") as told:
            predict_to_disk(image, model, out, client=client, **SETTINGS)
        assert "has napari-tessera 0.0.7, this computer" in str(told.value)
        assert str(told.value).endswith("install the same version there")
        assert not out.exists()
        stack.enter_context(start_worker(address, tmp_path / "x", "--preload", str(other_torch)))
        stack.enter_context(start_worker(address, tmp_path / "y"))
        stack.enter_context(start_worker(address, tmp_path / "z", "--preload", str(silent)))
        told_of = "install the same version there|does not say which"
        with pytest.warns(UserWarning, match=told_of) as warned:
            predict_to_disk(image, model, out, client=client, **SETTINGS)
    texts = [str(one.message) for one in warned]
    assert any("has torch 2.0.0, this computer" in text for text in texts)
    assert any("has napari-tessera 0.0.7" in text for text in texts)
    assert any("does not say which napari-tessera it has" in text for text in texts)
    assert left_behind(out) == alone


def test_a_mistake_of_ours_ends_the_run(
    image: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the thread that watches the workers: the run does not wait for ever."""

    def mistaken(*args: object) -> str:
        raise ZeroDivisionError("not foreseen")

    monkeypatch.setattr("napari_tessera.prediction.cluster.versions.difference", mistaken)
    scheduler, address = start_scheduler()
    out = tmp_path / "a.ome.zarr"
    with (
        scheduler,
        start_worker(address, tmp_path / "w"),
        cluster_client(address) as client,
        pytest.raises(ZeroDivisionError, match="not foreseen"),
    ):
        predict_to_disk(image, model, out, client=client, **SETTINGS)


def test_a_client_that_is_killed_leaves_nothing_behind(
    image: Path, model: Path, tmp_path: Path
) -> None:
    """Blocks that are at work end, and the scheduler holds no task."""
    big = write_image(tmp_path / "image.zarr", (40, 128, 128))
    wide = write_model(tmp_path / "wide.pt", 64)
    out = tmp_path / "a.ome.zarr"
    scheduler, address = start_scheduler()
    with scheduler, start_worker(address, tmp_path / "w"):
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, address, str(big), str(wide), str(out)],
            stdout=subprocess.PIPE,
        )
        assert program.stdout is not None
        with program.stdout:
            assert program.stdout.readline() == b"at work\n"
            program.kill()
            program.wait()
        with cluster_client(address) as client:
            _until(lambda: own_tasks(client) == [])
            _until(lambda: _at_work(client) == 0)
            entered = _entered(out)
            # the run that is gone enters nothing more, and another one goes on
            stored = read_unfinished(out)
            assert stored is not None
            assert stored.state == "writing"
            assert _entered(out) == entered
            predict_to_disk(big, wide, out, client=client, resume=True, **SETTINGS)
    done = read_unfinished(out)
    assert done is not None
    assert done.completed


PROGRAM = """
import sys
from napari_tessera import predict_to_disk
from napari_tessera.prediction.cluster import cluster_client
address, image, model, out = sys.argv[1:]
told = []
def tell(progress):
    if progress.done and not told:
        told.append(1)
        print("at work", flush=True)
with cluster_client(address) as client:
    predict_to_disk(image, model, out, client=client, progress=tell, patch_size=32, overlaps=8,
                    batch_size=2, torch_threads=1, reader_threads=1, chunks=(32, 32))
"""


def _at_work(client: Any) -> int:
    """How many blocks workers are at."""

    # within a function, so that it is sent whole: workers know no tests
    def count(dask_worker: Any) -> int:
        return sum(
            len(plugin.side.keys_at_work())
            for name, plugin in dask_worker.plugins.items()
            if name.startswith("napari-tessera-run")
        )

    return sum(client.run(count).values())


def _entered(out: Path) -> int:
    return sum(path.is_file() for path in (out / "tessera_blocks").rglob("*"))


def _until(true: Any) -> None:
    look = Event()
    for _ in range(600):
        if true():
            return
        look.wait(0.05)
    raise AssertionError("it never came true")


def test_cancel_leaves_no_task(client: Any, tmp_path: Path) -> None:
    # so many tiles that workers cannot be through before this process was told of the first ones
    large = write_image(tmp_path / "large.zarr", (60, 128, 128))
    wide = write_model(tmp_path / "wide.pt", 64)
    stop = Event()
    out = tmp_path / "a.ome.zarr"

    def at_work(progress: Progress) -> None:
        if progress.running or progress.done:
            stop.set()

    predict_to_disk(large, wide, out, client=client, progress=at_work, cancel=stop, **SETTINGS)
    assert own_tasks(client) == []
    assert _at_work(client) == 0
    stored = read_unfinished(out)
    assert stored is not None
    assert stored.state == "stopped"


def test_workers_that_come_and_go(image: Path, model: Path, alone: Any, tmp_path: Path) -> None:
    """The only worker is retired in mid-run and another one comes: the run goes on there."""
    scheduler, address = start_scheduler()
    with scheduler, cluster_client(address) as client:
        first = start_worker(address, tmp_path / "w")
        gone = Event()

        def retire(progress: Progress) -> None:
            if progress.done >= 10 and not gone.is_set():
                gone.set()
                (worker,) = client.nthreads()
                client.retire_workers([worker])
                second.append(start_worker(address, tmp_path / "x"))

        second: list[Any] = []
        try:
            out = predict_to_disk(
                image, model, tmp_path / "a.ome.zarr", client=client, progress=retire, **SETTINGS
            )
        finally:
            first.kill()
            for worker in second:
                worker.kill()
    assert gone.is_set()
    assert left_behind(out) == alone


def test_a_run_without_workers_says_so_and_goes_on_with_the_next_one(
    image: Path, model: Path, alone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "ALONE_SECONDS", 0.2)
    scheduler, address = start_scheduler()
    workers: list[Any] = []

    def kill_then_start(progress: Progress) -> None:
        if len(workers) == 1 and progress.done >= 10:
            workers[0].kill()
        if len(workers) == 1 and any("had no workers left" in line for line in progress.notices):
            workers.append(start_worker(address, tmp_path / "x"))

    with scheduler, cluster_client(address) as client, ExitStack() as ending:
        workers.append(start_worker(address, tmp_path / "w"))
        ending.callback(lambda: [worker.kill() for worker in workers])
        with pytest.warns(UserWarning, match="had no workers left: a run waits there until others"):
            out = predict_to_disk(
                image,
                model,
                tmp_path / "a.ome.zarr",
                client=client,
                progress=kill_then_start,
                **SETTINGS,
            )
    assert len(workers) == 2
    assert left_behind(out) == alone
