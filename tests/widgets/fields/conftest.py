"""The section *Save*, and a place that is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.save import SaveSection


def layers(*names: str) -> list[Image]:
    """Layers to be saved."""
    return [Image(np.zeros((2, 2)), name=name) for name in names]


def make_store(path: Path) -> Path:
    """Something of Zarr at a place: a folder alone is free."""
    path.mkdir()
    (path / "zarr.json").write_text("{}")
    return path


@pytest.fixture
def save(qtbot: QtBot) -> SaveSection:
    section = SaveSection()
    qtbot.addWidget(section)
    section.set_layers(layers("cells"), "uint16")
    section.show()
    section.set_open(True)
    return section


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return make_store(tmp_path / "cells.ome.zarr")
