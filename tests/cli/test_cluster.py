"""``napari-tessera predict --cluster``: real workers, and the bytes of one process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tifffile

from napari_tessera.prediction.cluster import cluster_client

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
WORDS = ["--patch-size", "64", "--overlaps", "2", "--chunks", "64", "--device", "cpu"]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a scheduler with two workers of one thread each."""
    with cluster_client("local", workers=2, threads_per_worker=1) as client:
        yield client.scheduler.address


def hashes(store: Path) -> dict[str, str]:
    """SHA-256 of every file, but for the group's: it tells the time."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in store.rglob("*")
        if file.is_file() and (name := file.relative_to(store).as_posix()) != "zarr.json"
    }


def test_workers_write_the_bytes_of_one_process(
    command: Command, scheduler: str, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    alone, together = tmp_path / "alone.ome.zarr", tmp_path / "together.ome.zarr"
    words = ["-m", blur_model, *WORDS, "--threads", "1"]
    assert command("predict", volume, alone, *words).status == 0
    outcome = command(
        "predict", volume, together, *words, "--cluster", scheduler, "--progress", "json"
    )
    assert outcome.status == 0, outcome.err
    assert hashes(together) == hashes(alone)
    events = [json.loads(line) for line in outcome.err.splitlines()]
    assert [event["event"] for event in events][:1] == ["planned"]
    assert events[-1]["event"] == "finished"
    assert (events[-1]["done"], events[-1]["total"]) == (12, 12)
    again = command("predict", volume, together, *words, "--cluster", scheduler, "--resume")
    assert again.status == 0
    assert "done before" in again.out


def test_several_images_by_workers(
    command: Command,
    scheduler: str,
    blur_model: Path,
    tmp_path: Path,
    picture: Callable[..., Any],
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(2):
        tifffile.imwrite(folder / f"i{number}.tif", picture((70, 90), seed=number))
    words = ["predict", folder, "-m", blur_model, *WORDS, "--threads", "1"]
    assert command(*words[:2], f"{tmp_path / 'one'}/", *words[2:]).status == 0
    outcome = command(*words[:2], f"{tmp_path / 'two'}/", *words[2:], "--cluster", scheduler)
    assert outcome.status == 0, outcome.err
    for number in range(2):
        name = f"i{number}_denoised.ome.zarr"
        assert hashes(tmp_path / "one" / name) == hashes(tmp_path / "two" / name)


def test_a_dry_run_asks_the_scheduler_for_its_workers(
    command: Command, scheduler: str, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    outcome = command(
        "predict", volume, tmp_path / "a.ome.zarr", "-m", blur_model, *WORDS,
        "--cluster", scheduler, "--dry-run", "--progress", "json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.err.splitlines()[-1])
    assert (found["workers"], found["threads_per_worker"], found["measured_threads"]) == (2, 1, 1)
    assert found["blocks"] >= 2
    assert not (tmp_path / "a.ome.zarr").exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("output", "words", "says"),
    [
        ("a.ome.tif", ["--cluster", "local"], "this is one file; use .ome.zarr"),
        ("out/", ["--cluster", "local", "--format", "npy"], "this is one file; use .ome.zarr"),
        ("a.ome.zarr", ["--cluster", "tcp://127.0.0.1:1"], "no scheduler at tcp://127.0.0.1:1"),
        ("a.ome.zarr", ["--cluster", "bogus://x"], "use local, tcp://HOST:8786"),
        ("a.ome.zarr", ["--cluster", "tcp://127.0.0.1:1", "--workers", "2"], "leave it out"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_made(
    command: Command,
    volume: Path,
    blur_model: Path,
    tmp_path: Path,
    output: str,
    words: list[str],
    says: str,
    dry: list[str],
) -> None:
    place = f"{tmp_path}/{output}"
    outcome = command("predict", volume, place, "-m", blur_model, *words, *dry)
    assert outcome.status == 1
    assert says in outcome.line
    assert not Path(place).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
def test_ctrl_c_stops_local_workers_in_good_order_and_resume_goes_on(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    image, store, whole = (tmp_path / name for name in ("i.tif", "a.ome.zarr", "b.ome.zarr"))
    tifffile.imwrite(image, picture((4, 602, 602)), imagej=True, metadata={"axes": "ZYX"})
    words = [
        "-m", str(blur_model), "--patch-size", "32", "--overlaps", "2", "--chunks", "64",
        "--batch-size", "1", "--threads", "1", "--device", "cpu",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", "from napari_tessera.cli import main; main()", "predict",
         str(image), str(store), *words, "--cluster", "local", "--workers", "2",
         "--threads-per-worker", "1", "--progress", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "progress":
            # a terminal sends it to all processes, the workers too
            os.killpg(process.pid, signal.SIGINT)
            break
    _, rest = process.communicate()
    assert process.returncode == 130, rest
    events = [json.loads(line) for line in rest.splitlines()]
    assert [event["event"] for event in events][-1] == "stopped"
    assert 0 < events[-1]["done"] < events[-1]["total"] == 4 * 20 * 20
    assert command("predict", image, store, *words, "--resume").status == 0
    assert command("predict", image, whole, *words).status == 0
    assert hashes(store) == hashes(whole)
