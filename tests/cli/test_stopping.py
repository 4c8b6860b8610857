"""``napari-tessera predict`` stopped by a signal, and gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from zarr.storage import ZipStore

Command = Callable[..., Any]
CODE = "from napari_tessera.cli import main; main()"
N_TILES = 2 * 20 * 20


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words of a run of 800 tiles, which lie over the edges of chunks; the output comes last."""
    folder = tmp_path_factory.mktemp("long")
    image = np.random.default_rng(0).integers(20, 120, (2, 602, 602)).astype(np.uint16)
    tifffile.imwrite(folder / "long.tif", image, metadata={"axes": "ZYX"}, imagej=True)
    layer = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
    torch.nn.init.constant_(layer.weight, 1 / 9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(layer.eval()).save(str(folder / "blur.pt"))
    return [
        "predict", "-m", str(folder / "blur.pt"), "--patch-size", "32,32", "--overlaps", "2,2",
        "--batch-size", "1", "--threads", "1", "--chunks", "1,48,64", "--device", "cpu",
        "--progress", "json", str(folder / "long.tif"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def unstopped(long_run: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the run gives when nothing stops it."""
    store = tmp_path_factory.mktemp("unstopped") / "whole.ome.zarr"
    process = start([*long_run, str(store)])
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert (store / "1").is_dir()
    return store


def pixels_of(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_group(store, mode="r")["0"][...])


def hashes(store: Path) -> dict[str, str]:
    """SHA-256 of every file, but for the group's: it tells the time."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in store.rglob("*")
        if file.is_file() and (name := file.relative_to(store).as_posix()) != "zarr.json"
    }


def start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def interrupted(words: list[str], signum: signal.Signals) -> tuple[int, list[dict[str, Any]]]:
    """Send a signal when the first tile is done; exit status and the events that followed."""
    process = start(words)
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "progress":
            process.send_signal(signum)
            break
    _, rest = process.communicate()
    return process.returncode, [json.loads(line) for line in rest.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_stops_in_good_order_and_resume_goes_on(
    long_run: list[str],
    unstopped: Path,
    tmp_path: Path,
    signum: signal.Signals,
    status: int,
) -> None:
    store = tmp_path / "out.ome.zarr"
    returned, events = interrupted([*long_run, str(store)], signum)
    assert returned == status
    assert "stopping" in [event["event"] for event in events]
    last = events[-1]
    assert last["event"] == "stopped"
    assert 0 < last["done"] < last["total"] == N_TILES
    assert f"{last['done']} of {N_TILES} tiles" in last["message"]
    assert "--resume" in last["message"]
    group = zarr.open_group(store, mode="r")
    stored = group.attrs["napari_tessera"]
    assert (stored["completed"], stored["state"]) == (False, "stopped")
    # what was predicted is flushed: all of it is there, at every level
    assert int(np.count_nonzero(group["tessera_ledger"][:])) == last["done"]
    for level in ("0", "1"):
        assert np.isnan(group[level][...]).any()
        assert np.isfinite(group[level][...]).any()
    assert not list(tmp_path.rglob("*.partial"))
    assert [entry.name for entry in tmp_path.iterdir()] == [store.name]

    again = start([*long_run, str(store), "--resume"])
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    first = json.loads(errors.splitlines()[1])
    assert first["done"] >= last["done"]
    assert hashes(store) == hashes(unstopped)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
def test_an_interrupted_tiff_leaves_nothing(long_run: list[str], tmp_path: Path) -> None:
    words = [word for word in long_run if word not in ("--chunks", "1,48,64")]
    returned, events = interrupted([*words, str(tmp_path / "out.tif")], signal.SIGINT)
    assert returned == 130
    assert "nothing was written" in events[-1]["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
def test_an_interrupted_zip_keeps_what_is_done(long_run: list[str], tmp_path: Path) -> None:
    path = tmp_path / "out.ome.zarr.zip"
    returned, events = interrupted([*long_run, str(path)], signal.SIGTERM)
    assert returned == 143
    done = events[-1]["done"]
    assert f"{done} of {N_TILES} tiles are in {path}, and cannot be gone" in events[-1]["message"]
    with ZipStore(path, mode="r") as store:
        finite = np.isfinite(zarr.open_group(store, mode="r")["0"][...])
    assert 0 < finite.sum() < finite.size
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_before_the_first_tile_leaves_nothing(
    command: Command,
    volume: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signum: signal.Signals,
    status: int,
) -> None:
    def load_model(*arguments: Any, **settings: Any) -> None:
        signal.raise_signal(signum)

    monkeypatch.setattr("napari_tessera.models.load_model", load_model)
    outcome = command("predict", volume, tmp_path / "out.ome.zarr", "-m", "builtin:denoise2d")
    assert outcome.status == status
    assert "nothing was written" in outcome.line
    assert not (tmp_path / "out.ome.zarr").exists()
