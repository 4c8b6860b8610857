"""``napari-tessera models export``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_tessera.models.architectures import UNetSettings

from ..models.own_files import saved

Command = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path / "model.safetensors", UNetSettings(2, depth=1, features=8))


@pytest.mark.parametrize(
    ("words", "format"),
    [
        (
            ["out.zip", "--author", "Ada", "--author", "Grace", "--licence", "MIT"],
            "BioImage.IO 0.5",
        ),
        (["out.pt"], "TorchScript of napari-tessera"),
        (["out.ckpt"], "CAREamics checkpoint 0.3"),
        (["out.model", "--format", "torchscript"], "TorchScript of napari-tessera"),
    ],
)
def test_exports(
    command: Command, model: Path, tmp_path: Path, words: list[str], format: str
) -> None:
    out = tmp_path / words[0]
    outcome = command("models", "export", model, out, *words[1:])
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{out} written (")
    told = command("models", "info", out).out
    assert f"format      {format}" in told
    assert ("Ada, Grace" in told) == ("--author" in words)


def test_a_package_without_author_and_licence_is_warned_of(
    command: Command, model: Path, tmp_path: Path
) -> None:
    outcome = command("models", "export", model, tmp_path / "out.zip", "--licence", "MIT")
    assert outcome.status == 0
    assert outcome.line == (
        "napari-tessera: warning: the package names no author (--author); the BioImage Model Zoo "
        "wants both"
    )


def test_how_it_was_trained_is_told(command: Command, model: Path) -> None:
    told = command("models", "info", model).out
    assert "format      napari-tessera model (Noise2Void)\n" in told
    assert "trained     Noise2Void, 4,000 steps of 16 patches of 64 × 64 px" in told
    assert command("models", "check", model).status == 0


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["out.onnx"], 2, "stands for no format: name it .zip (bioimageio)"),
        (["out.zip", "--format", "careamics"], 2, "name of a file in format bioimageio"),
        (["out.zip", "--format", "keras"], 2, "keras"),
        (["no/out.zip"], 1, "there is no folder"),
        (["out.zip", "--licence", "mine"], 0, ""),
        (["out.zip", "--licence", "all mine"], 1, "is no SPDX identifier"),
        (["model.safetensors", "--format", "torchscript"], 1, "is the model itself"),
    ],
)
def test_bad_usage_is_one_line(
    command: Command, model: Path, tmp_path: Path, words: list[str], status: int, says: str
) -> None:
    before = model.read_bytes()
    outcome = command("models", "export", model, tmp_path / words[0], *words[1:])
    assert outcome.status == status
    assert says in outcome.line
    assert model.read_bytes() == before


def test_what_is_there_is_replaced_only_when_told_so(
    command: Command, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "there.pt"
    out.write_text("mine")
    refused = command("models", "export", model, out)
    assert (refused.status, refused.out) == (1, "")
    assert "overwrite it (--overwrite)" in refused.line
    assert out.read_text() == "mine"
    assert command("models", "export", model, out, "--overwrite").status == 0
    assert command("models", "check", out).status == 0


def test_what_is_no_model_of_ours(command: Command, blur_model: Path, tmp_path: Path) -> None:
    for path, says in (
        (blur_model, "it is no model file that napari-tessera trained"),
        (tmp_path / "no.safetensors", "there is no file"),
    ):
        outcome = command("models", "export", path, tmp_path / "out.zip")
        assert (outcome.status, outcome.out) == (1, "")
        assert says in outcome.line
    again = command("models", "export", "builtin:denoise2d", tmp_path / "out.zip")
    assert again.status == 1
    assert "builtin:denoise2d cannot be used" in again.line
