"""The command itself: help, version, and what is typed wrongly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import napari_tessera

Command = Callable[..., Any]


def test_version(command: Command) -> None:
    outcome = command("--version")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.strip() == f"napari-tessera {napari_tessera.__version__}"


@pytest.mark.parametrize(
    "words", [["--help"], ["-h"], ["predict", "--help"], ["info", "-h"], ["models", "check", "-h"]]
)
def test_help(command: Command, words: list[str]) -> None:
    outcome = command(*words)
    assert (outcome.status, outcome.err) == (0, "")
    assert "Usage: napari-tessera" in outcome.out


def test_no_word_at_all_shows_the_help(command: Command) -> None:
    outcome = command()
    assert outcome.status == 2
    assert "Usage: napari-tessera" in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bogus"], "bogus"),
        (["predict", "in.tif", "-m", "m.pt"], "OUTPUT"),
        (["predict", "in.tif", "out.zarr"], "--model"),
        (["predict", "in.tif", "", "-m", "m.pt"], "OUTPUT is an empty name"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--nope"], "--nope"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--patch-size", "big"], "big"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--precision", "int8"], "int8"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--device", "tpu"], "tpu"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--progress", "dots"], "dots"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--output-dtype", "int3"], "int3"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--resume", "--overwrite"], "--resume"),
        (
            ["predict", "in.tif", "out.zarr", "-m", "m.pt", "--plan", "p", "--patch-size", "64"],
            "--patch-size",
        ),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--blending", "mosaic"], "mosaic"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--tta", "max"], "max"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--statistics", "all"], "all"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--normalization", "tile"], "tile"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "-m", "n.pt"], "--model"),
        (["predict", "in.tif", "out.zarr", "-m", "m.pt", "--plan", "p", "--tta", "mean"], "--tta"),
        (
            ["predict", "i.tif", "o.zarr", "-m", "m.pt", "--plan", "p", "--normalization", "none"],
            "--normalization",
        ),
        (["models", "bogus"], "bogus"),
        (["models", "list", "extra"], "extra"),
        (["models", "info"], "MODEL"),
        (["models", "check"], "MODEL"),
        (["info"], "INPUT"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(command: Command, words: list[str], says: str) -> None:
    outcome = command(*words)
    assert outcome.status == 2
    assert outcome.out == ""
    assert says in outcome.line
    assert "--help" in outcome.line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("predict a b -m c --cluster local --workers -1", "-1"),
        ("predict a b -m c --cluster local --workers two", "'two'"),
        ("predict a b -m c --tta foo", "'foo' is not one of 'none', 'mean', 'median'"),
        ("train a b --steps 1.5", "'1.5'"),
        ("train a b --learning-rate fast", "'fast'"),
    ],
)
def test_wrong_values_are_told_of_in_words_of_ours(command: Command, words: str, says: str) -> None:
    outcome = command(*words.split())
    assert outcome.status == 2
    assert says in outcome.line
    # pydantic's words, which typer passes on
    assert "Input should" not in outcome.line
    assert "Value error" not in outcome.line
    assert ". (" not in outcome.line


@pytest.mark.parametrize(
    "words", ["--help", "--version", "predict --help", "models --help", "predict a b"]
)
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


def test_demo_keeps_what_is_in_its_way(command: Command, tmp_path: Path) -> None:
    (tmp_path / "denoised.ome.zarr").mkdir()
    outcome = command("demo", "--output", tmp_path)
    assert (outcome.status, outcome.out) == (1, "")
    assert "denoised.ome.zarr is no result of this demo" in outcome.line
    assert "--output" in outcome.line
    (tmp_path / "file").touch()
    assert command("demo", "--output", tmp_path / "file" / "demo").status == 1
