"""Hands that save layers in a real window."""

from __future__ import annotations

from typing import Any

import pytest
from npe2 import PluginManager
from tests.widgets.layer_writers.hands import PLUGIN, Hands


@pytest.fixture(autouse=True)
def _plugins() -> None:
    """Find plugins, as opening a window does."""
    manager = PluginManager.instance()
    if PLUGIN not in manager:
        manager.discover()


@pytest.fixture
def hands(qtbot: Any) -> Any:
    found = Hands()
    yield found
    found.stop()


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer(show=True)
