"""Programs that torch.export writes, and how they are edited."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

Edit = Callable[[Any], Any]


@pytest.fixture
def export_program(tmp_path: Path) -> Callable[..., Path]:
    """Export a module with ``torch.export`` and save it."""

    def to_file(
        module: nn.Module,
        *example: Any,
        shapes: Any = None,
        name: str = "net.pt2",
        decompose: bool = False,
    ) -> Path:
        path = tmp_path / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, example, dynamic_shapes=shapes)
            if decompose:
                program = program.run_decompositions()
            torch.export.save(program, path)
        return path

    return to_file


@pytest.fixture(scope="session")
def small_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution and a rectifier, for images of 16×16."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("programs") / "small.pt2"
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network, (torch.zeros(1, 1, 16, 16),)), path)
    return path


@pytest.fixture
def edit(small_program: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write the small program with members changed: by name, new bytes or a change to its JSON.

    A member's name is what follows the archive's one folder; None leaves the member out.
    """

    def to_file(members: dict[str, bytes | Edit | None], name: str = "edited.pt2") -> Path:
        path = tmp_path / name
        rest = dict(members)
        with zipfile.ZipFile(small_program) as old, zipfile.ZipFile(path, "w") as new:
            for full in old.namelist():
                folder, _, member = full.partition("/")
                content: Any = old.read(full)
                change = rest.pop(member, content)
                if callable(change):
                    value = json.loads(content)
                    content = json.dumps(change(value) or value).encode()
                else:
                    content = change
                if content is not None:
                    new.writestr(full, content)
            for member, content in rest.items():
                new.writestr(f"{folder}/{member}", content)
        return path

    return to_file


class Touch:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.mkdir, (self.path,)


@pytest.fixture
def harmful(tmp_path: Path) -> tuple[Path, bytes]:
    """A pickle, and the folder that unpickling it creates."""
    target = tmp_path / "touched"
    return target, pickle.dumps(Touch(target))
