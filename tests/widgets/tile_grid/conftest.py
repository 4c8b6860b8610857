"""A viewer without a window, in which a grid is drawn as soon as it changes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from napari.components import ViewerModel

from napari_tessera.widgets import tile_grid


@pytest.fixture
def viewer(qapp: Any) -> ViewerModel:
    return ViewerModel()


@pytest.fixture(autouse=True)
def drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_grid, "DRAW_SHARE", math.inf)
