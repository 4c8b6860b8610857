"""An image to train on, and a training that has to be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from .runs import TINY, Command


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A noisy YX image, 96×112 uint16."""
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.random.default_rng(0).poisson(60, (96, 112)).astype(np.uint16))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Where a model goes."""
    return tmp_path / "out.safetensors"


@pytest.fixture
def refused(command: Command, model: Path, tmp_path: Path) -> Callable[..., str]:
    """Train into a new file: status 1, nothing written; give the line on stderr."""

    def call(source: Path, *words: str | Path, output: Path | None = None) -> str:
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        target = model if output is None else output
        outcome = command("train", source, target, *TINY, *words)
        assert outcome.status == 1, outcome
        assert outcome.out == ""
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        assert outcome.line.startswith("napari-tessera: error: ")
        assert "--debug" not in outcome.line, "no error that was foreseen"
        return str(outcome.line)

    return call


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Save an image."""

    def save(pixels: Any, name: str = "in.tif", **facts: Any) -> Path:
        tifffile.imwrite(tmp_path / name, np.asarray(pixels), **facts)
        return tmp_path / name

    return save
