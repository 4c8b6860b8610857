"""``napari-tessera bench``: measured for real, within a second."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from napari_tessera.cli import bench_text
from napari_tessera.prediction.tuning import machine
from napari_tessera.prediction.tuning.best_tiles import Measured, Tuned
from napari_tessera.prediction.tuning.machine import MachineReport

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

RATE_NAMES = (
    "reading_megapixels_per_second",
    "writing_megapixels_per_second",
    "array_to_array_megapixels_per_second",
    "zarr_to_zarr_megapixels_per_second",
    "matrix_product_gflop_per_second",
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made; and a second has to do."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(machine, "SECONDS", 1.0)
    return folder


def test_a_table_and_what_to_use(command: Command, blur_model: Path, place: Path) -> None:
    outcome = command("bench", "-m", blur_model, "--size", 128)
    assert outcome.status == 0
    assert outcome.line == "napari-tessera: measuring blur.pt on cpu for up to 1 s (Ctrl+C stops)"
    assert "reading tiles from Zarr" in outcome.out
    assert "Zarr to Zarr is limited by " in outcome.out
    last = outcome.out.splitlines()[-1].split()
    assert (last[0], last[1], last[3]) == ("Use", "--patch-size", "--batch-size")
    y, x = map(int, last[2].split(","))
    assert y == x > 2
    assert int(last[4]) >= 1
    assert list(place.iterdir()) == []


def test_one_json_object_with_units_in_its_names(command: Command, blur_model: Path) -> None:
    outcome = command("bench", "-m", blur_model, "--size", 128, "--json", "--threads", 1)
    assert outcome.status == 0
    facts = json.loads(outcome.out)
    assert facts["model"] == "blur.pt"
    assert facts["threads"] == 1
    assert facts["image_shape_pixels"] == [128, 128]
    assert all(facts[name] > 0 for name in RATE_NAMES)
    assert set(facts["best"]) == {
        "patch_size_pixels",
        "overlaps_pixels",
        "batch_size",
        "seconds_per_batch",
        "core_megapixels_per_second",
        "runs",
    }
    assert facts["best"] in facts["tiles"]
    assert set(facts["versions"]) == {"napari_tessera", "torch", "python"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "5"], "size 5 is too small to measure with: use 64 or more"),
        (["--size", "10000000"], "size 10000000 takes"),
        (["--size", "many"], "'--size'"),
        (["-m", "builtin:none"], "builtin:none"),
        (["-m", "gone.pt"], "there is no file gone.pt"),
        (["--device", "toaster"], "'toaster' is no device"),
        (["--device", "cuda:99"], "device 'cuda:99' is not on this machine"),
        (["--threads", "0"], "threads"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(command: Command, words: list[str], said: str) -> None:
    outcome = command("bench", *words)
    assert (outcome.status, outcome.out) == (2, "")
    assert said in outcome.line


def test_a_model_that_fails_on_the_way_is_status_1(
    command: Command, save_torchscript: Callable[..., Path], place: Path
) -> None:
    class Fussy(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.shape[2] > 100:
                raise ValueError("too large for me")
            return torch.relu(x)

    outcome = command("bench", "-m", save_torchscript(Fussy(), "fussy.pt"), "--size", 128)
    assert (outcome.status, outcome.out) == (1, "")
    assert "too large for me" in outcome.err
    assert list(place.iterdir()) == []


def test_no_room_on_the_disk(
    command: Command, blur_model: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_place", lambda folder: place / "gone")
    outcome = command("bench", "-m", blur_model)
    assert (outcome.status, outcome.out) == (2, "")
    assert f"nothing can be written to {place / 'gone'}" in outcome.line


def told(**other: Any) -> str:
    """What people read of a made-up report."""
    best = Measured((512, 512), (44, 44), 2, 0.2, 4e6, 5)
    facts: dict[str, Any] = {
        "device": "cuda:0",
        "device_name": "Card",
        "threads": 4,
        "model_name": "a.pt",
        "model_sha256": "0",
        "precision": "float32",
        "preparation": "channels-last",
        "multiplications_per_pixel": 1000.0,
        "axes": "YX",
        "shape": (640, 640),
        "wanted_size": 1024,
        "matrix_flops": 2e13,
        "model_flops": 1e13,
        "tuned": Tuned(best, None, (best,), ((1024, 1024),)),
        "read": 123e6,
        "write": 45e6,
        "arrays": 3e6,
        "zarrs": 2e6,
        "limited_by": "writing",
        "seconds": 20.0,
    }
    console = Console(file=StringIO(), width=100)
    bench_text.show(MachineReport(**{**facts, **other}), console)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_what_people_read() -> None:
    text = told()
    assert "a.pt on Card, float32" in text
    assert "20,000 GFLOP/s" in text
    assert "the model (50% of that)" in text
    assert "Not tried, as time or memory is short: 1024 × 1024." in text
    assert "measured on 640 px and not 1024" in text
    assert "limited by writing the result: a faster disk, or lz4" in text
    assert text.endswith("Use --patch-size 512,512 --batch-size 2\n")
    text = told(device="cpu", wanted_size=640, model_flops=None, limited_by="reading")
    assert "a.pt on Card, 4 threads" in text
    assert "of that" not in text
    assert "measured on" not in text
    assert "limited by reading" in text


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
@pytest.mark.parametrize("wait", [0.0, 4.0, 14.0])
def test_ctrl_c_leaves_nothing_and_is_status_130(place: Path, wait: float) -> None:
    code = "from napari_tessera.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "bench"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    ) as process:
        assert process.stderr is not None
        assert "measuring" in process.stderr.readline()
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "nothing was measured to its end" in err
    assert "Traceback" not in err
    assert list(place.iterdir()) == []
