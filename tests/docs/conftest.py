"""What a page finds when its blocks run: an empty folder, and files that it asks for."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from napari_tessera.stacks.opening import registry

from .blocks import Runner
from .files import Files


@pytest.fixture(scope="session")
def ready_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("ready"))


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def run_page(
    ready_files: Files,
    in_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Callable[[Path], Runner]]:
    """Run every block of a page in a folder of its own; what it printed is in the report."""

    # threads that wait for one another by spinning take the cores that other tests need
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(page: Path) -> Runner:
        module = types.ModuleType("docs_files")
        monkeypatch.setitem(sys.modules, "docs_files", module)
        module.__dict__["prepare"] = ready_files.prepare
        # kinds of stack that a page registers are gone with it
        monkeypatch.setattr(registry, "_openers", registry._openers)
        monkeypatch.setenv("COLUMNS", "100")
        runner = Runner(lambda: "".join(capfd.readouterr()))
        runner.run(page)
        return runner

    yield run
    torch.set_num_threads(before)
