"""What the tests of packages share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import packages


@pytest.fixture(scope="session")
def same() -> bytes:
    """TorchScript that returns what it gets."""
    return packages.script(packages.Same())


@pytest.fixture
def package(tmp_path: Path, same: bytes) -> packages.Package:
    """Writes packages."""
    return packages.Package(tmp_path, same)


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[..., Any]]:
    """Parts of packages: see the functions of these names in ``packages``."""
    names = ("script", "npy", "axes_05", "output_axes_05", "description_05", "description_04")
    return {name: getattr(packages, name) for name in (*names, "sha256")}
