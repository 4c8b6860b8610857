"""What is known of a model is found out in a thread."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytestqt.qtbot import QtBot
from tests.widgets.conftest import Blur

from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.model_reader import ModelChoice, ModelReader, ModelReading, reason_line


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "blur.pt"
    torch.jit.save(torch.jit.script(Blur().eval()), path)
    return path


@pytest.fixture
def reader(qtbot: QtBot) -> ModelReader:
    return ModelReader(ModelCache())


def last(qtbot: QtBot, reader: ModelReader, *choices: ModelChoice) -> list[ModelReading]:
    """Look at models one right after the other; gives what was read until the last was."""
    said: list[ModelReading] = []
    reader.read.connect(said.append)
    for choice in choices:
        reader.look(choice)
    qtbot.waitUntil(lambda: bool(said[-1].info or said[-1].problem), timeout=20_000)
    return said


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_only_the_newest_is_told_of(qtbot: QtBot, reader: ModelReader, script: Path) -> None:
    builtin, file = ModelChoice("builtin:denoise2d"), ModelChoice(str(script), "cpu")
    said = last(qtbot, reader, builtin, file)
    assert [reading.choice for reading in said if reading.info] == [file]
    assert said[-1].info is not None
    assert said[-1].info.format == "TorchScript"
    assert said[-1].info.reach == (1, 1)


def test_what_cannot_be_loaded_is_told_in_one_line(qtbot: QtBot, reader: ModelReader) -> None:
    said = last(qtbot, reader, ModelChoice("/nowhere/model.pt"))
    assert said[0].problem == ""
    assert said[-1].problem.startswith("model.pt cannot be loaded: there is no file")
    assert "\n" not in said[-1].problem


def test_a_package_is_tested_on_request(qtbot: QtBot, reader: ModelReader, shared: Path) -> None:
    package = next((shared / "models" / "careamics_n2v_2d").glob("*.zip"))
    reader.run_own_test()
    last(qtbot, reader, ModelChoice(str(package), "cpu"))
    with qtbot.waitSignal(reader.tested, timeout=30_000) as tested:
        reader.run_own_test()
        reader.run_own_test()
    assert tested.args is not None
    assert tested.args[0].passed
    assert "own test passes" in tested.args[0].text
    # what the model says of itself has the result, too
    with qtbot.waitSignal(reader.read, timeout=20_000) as read:
        pass
    assert read.args is not None
    assert read.args[0].info.own_test == tested.args[0].text


def test_a_model_without_a_test_says_so(qtbot: QtBot, reader: ModelReader) -> None:
    last(qtbot, reader, ModelChoice("builtin:denoise2d", "cpu"))
    with qtbot.waitSignal(reader.tested, timeout=20_000) as tested:
        reader.run_own_test()
    assert tested.args is not None
    assert not tested.args[0].passed
    assert "it has no test of its own" in tested.args[0].text


def test_an_error_is_one_line() -> None:
    assert reason_line(ValueError("a\nb")) == "a"
    assert reason_line(ValueError()) == "ValueError"
    assert reason_line(ImportError("no onnx")) == "a package is missing: no onnx"
