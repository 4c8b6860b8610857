"""``napari-tessera predict`` stopped by a signal, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

Command = Callable[..., Any]
CODE = "from napari_tessera.cli import main; main()"
N_TILES = 24


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words of a run of 24 tiles, each a tenth of a second long; the output comes last."""
    source = tmp_path_factory.mktemp("long") / "long.tif"
    image = np.random.default_rng(0).integers(20, 120, (6, 200, 200)).astype(np.uint16)
    tifffile.imwrite(source, image, metadata={"axes": "ZYX"}, imagej=True)
    return [
        "predict", "-m", "builtin:denoise2d", "--patch-size", "128,128", "--overlaps", "42,42",
        "--device", "cpu", "--progress", "json", str(source),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def unstopped(long_run: list[str], tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """What the run gives when nothing stops it."""
    store = tmp_path_factory.mktemp("unstopped") / "whole.ome.zarr"
    process = start([*long_run, str(store)])
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return pixels_of(store)


def pixels_of(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_group(store, mode="r")["0"][...])


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
    unstopped: np.ndarray,
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
    assert zarr.open_group(store, mode="r").attrs["napari_tessera"]["completed"] is False
    assert np.isnan(pixels_of(store)).any()
    assert np.isfinite(pixels_of(store)).any()

    again = start([*long_run, str(store), "--resume"])
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    first = json.loads(errors.splitlines()[1])
    assert first["done"] >= last["done"]
    np.testing.assert_array_equal(pixels_of(store), unstopped)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
def test_an_interrupted_tiff_leaves_nothing(long_run: list[str], tmp_path: Path) -> None:
    returned, events = interrupted([*long_run, str(tmp_path / "out.tif")], signal.SIGINT)
    assert returned == 130
    assert "nothing was written" in events[-1]["message"]
    assert not (tmp_path / "out.tif").exists()


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
