"""What is typed after ``napari-tessera train``, and what is said of it where it cannot be."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from napari_tessera.cli import training_command
from napari_tessera.cli.training import TrainJob
from napari_tessera.training import settings as training_settings
from napari_tessera.training.settings import TrainingSettings

Command = Callable[..., Any]
PLACES = ("in.tif", "out.safetensors")
PAIR = ("--method", "supervised", "--target", "clean.tif")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[..., TrainJob]:
    """What the words come to: the job that would be run."""
    jobs: list[TrainJob] = []

    def keep(job: TrainJob, reporter: object) -> int:
        jobs.append(job)
        return 0

    monkeypatch.setattr("napari_tessera.cli.training.run_train", keep)

    def call(*words: str) -> TrainJob:
        outcome = command("train", *PLACES, *words)
        assert outcome.status == 0, outcome.err
        return jobs[-1]

    return call


def test_without_options_all_is_as_in_python(asked: Callable[..., TrainJob]) -> None:
    assert asked() == TrainJob(source="in.tif", model_out=Path("out.safetensors"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--method", "n2v2"], {"method": "n2v2"}),
        (["--dims", "3"], {"spatial_dims": 3}),
        (["--patch-size", "32"], {"patch_size": (32, 32)}),
        (["--patch-size", "32,48"], {"patch_size": (32, 48)}),
        (["--dims", "3", "--patch-size", "16"], {"spatial_dims": 3, "patch_size": (16, 16, 16)}),
        (["--patch-size", "auto", "--batch-size", "auto"], {}),
        (["--batch-size", "8", "--steps", "77"], {"batch_size": 8, "steps": 77}),
        (["--depth", "3", "--features", "16"], {"depth": 3, "features": 16}),
        (["--joint-channels"], {"independent_channels": False}),
        (["--masked-percent", "0.5"], {"masked_percent": 0.5}),
        (["--struct-axis", "y"], {"struct_axis": "y"}),
        (["--struct-axis", "x", "--struct-span", "11"], {"struct_axis": "x", "struct_span": 11}),
        (["--learning-rate", "1e-3"], {"learning_rate": 1e-3}),
        (["--schedule", "plateau", "--patience", "5"], {"schedule": "plateau", "patience": 5}),
        (["--precision", "bfloat16"], {"precision": "bfloat16"}),
        (["--validation-percent", "0"], {"validation_percent": 0.0}),
        (["--validate-every", "50"], {"validate_every": 50}),
        (["--no-augment", "--seed", "7"], {"augment": False, "seed": 7}),
        (["--method", "supervised", "--target", "c", "--loss", "l1"], None),
    ],
)
def test_options_are_settings(
    asked: Callable[..., TrainJob], words: list[str], expected: dict[str, Any] | None
) -> None:
    job = asked(*words)
    if expected is None:
        expected = {"method": "supervised", "loss": "l1"}
        assert job.target == "c"
    assert job.settings == TrainingSettings(**expected)


def test_what_is_no_setting_is_of_the_job(asked: Callable[..., TrainJob]) -> None:
    job = asked(
        "--axes", "ZYX", "--channels", "0,2", "--mask", "foreground", "--device", "cuda:1",
        "--threads", "2", "--resume", "--use-checkpoint", "--overwrite",
    )  # fmt: skip
    assert job.settings == TrainingSettings()
    assert (job.axes, job.channels, job.mask) == ("ZYX", (0, 2), "foreground")
    assert (job.device, job.threads) == ("cuda:1", 2)
    assert job.resume
    assert job.use_checkpoint
    assert job.overwrite


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train"], "INPUT"),
        (["train", "in.tif"], "MODEL_OUT"),
        ([*PLACES, "--method", "n2n"], "n2n"),
        ([*PLACES, "--method", "supervised"], "--target"),
        ([*PLACES, "--target", "clean.tif"], "--method supervised"),
        ([*PLACES, "--method", "n2v2", "--target", "clean.tif"], "n2v2"),
        ([*PLACES, "--dims", "4"], "4"),
        ([*PLACES, "--dims", "3", "--patch-size", "32,32"], "2 numbers"),
        ([*PLACES, "--patch-size", "big"], "big"),
        ([*PLACES, "--patch-size", "65"], "--patch-size"),
        ([*PLACES, "--patch-size", "65"], "68"),
        ([*PLACES, "--patch-size=-64"], "-64"),
        ([*PLACES, "--batch-size", "0"], "--batch-size"),
        ([*PLACES, "--steps", "0"], "--steps"),
        ([*PLACES, "--steps", "1.5"], "--steps"),
        ([*PLACES, "--depth", "9"], "--depth"),
        ([*PLACES, "--features", "0"], "--features"),
        ([*PLACES, "--masked-percent", "nan"], "--masked-percent"),
        ([*PLACES, "--masked-percent", "99"], "--masked-percent"),
        ([*PLACES, *PAIR, "--masked-percent", "9"], "--masked-percent"),
        ([*PLACES, *PAIR, "--struct-axis", "x"], "--struct-axis"),
        ([*PLACES, "--struct-axis", "z"], "--struct-axis"),
        ([*PLACES, "--struct-span", "5"], "--struct-axis"),
        ([*PLACES, "--struct-axis", "x", "--struct-span", "4"], "5"),
        ([*PLACES, "--loss", "l1"], "--loss"),
        ([*PLACES, "--learning-rate", "0"], "--learning-rate"),
        ([*PLACES, "--schedule", "plateau", "--validation-percent", "0"], "--schedule"),
        ([*PLACES, "--patience", "3", "--validation-percent", "0"], "--patience"),
        ([*PLACES, "--validation-percent", "60"], "--validation-percent"),
        ([*PLACES, "--precision", "int8"], "int8"),
        ([*PLACES, "--seed=-1"], "--seed"),
        ([*PLACES, "--device", "all"], "several devices"),
        ([*PLACES, "--device", "cuda:0,cuda:1"], "several devices"),
        ([*PLACES, "--threads", "0"], "--threads"),
        ([*PLACES, "--progress", "dots"], "dots"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(command: Command, words: list[str], says: str) -> None:
    outcome = command(*words) if words[0] == "train" else command("train", *words)
    assert outcome.status == 2
    assert outcome.out == ""
    assert says in outcome.line
    assert "train --help" in outcome.line


@pytest.mark.parametrize(
    ("choices", "known"),
    [
        (training_command.Method, training_settings.METHODS),
        (training_command.Loss, training_settings.LOSSES),
        (training_command.LearningRateSchedule, training_settings.SCHEDULES),
        (training_command.Precision, training_settings.PRECISIONS),
    ],
)
def test_the_choices_are_those_of_the_settings(choices: Any, known: tuple[str, ...]) -> None:
    assert tuple(choice.value for choice in choices) == known


def test_each_setting_that_an_error_can_name_has_its_option() -> None:
    options = set(re.findall(r"--[a-z0-9-]+", inspect.getsource(training_command.train)))
    options |= {
        f"--{name.replace('_', '-')}"
        for name in inspect.signature(training_command.train).parameters
    }
    for field in fields(TrainingSettings):
        named = training_command.OPTIONS.get(field.name, f"--{field.name.replace('_', '-')}")
        # for people who write Python, and no more
        if field.name not in ("batch_norm", "mask_window", "weight_decay", "gradient_clip", "ema"):
            assert named in options


@pytest.mark.parametrize("words", ["train --help", "train a b --steps 0"])
def test_nothing_heavy_is_loaded_for_it(words: str) -> None:
    code = (
        "import sys\n"
        "from napari_tessera.cli import run\n"
        f"run({words.split()!r})\n"
        "heavy = {'torch', 'napari', 'qtpy', 'PyQt6', 'numpy', 'zarr', 'tifffile', 'dask'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert "LOADED []" in output
