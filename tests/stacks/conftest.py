from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_tessera.stacks.zarr import retrying

from .web_server import WebServer, serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `server` serves."""
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[WebServer]:
    with serving(folder) as running:
        yield running


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is asked for again without waiting."""
    monkeypatch.setattr(retrying, "DELAYS", (0.0, 0.0, 0.0))
