"""What is to be remembered is written once, and before the application ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

import napari_tessera
from napari_tessera.widgets.remembered.soon import Soon
from napari_tessera.widgets.remembered.store import LastSettings, recall

from .needs import PLUGIN_SETTINGS

pytestmark = PLUGIN_SETTINGS

LAST = LastSettings("/models/n2v.pt", device="cpu")


@pytest.fixture(autouse=True)
def kept(plugin_settings: None, npe2pm: Any) -> None:
    """A settings file of the test's own."""
    manifest = Path(napari_tessera.__file__).parent / "napari.yaml"
    npe2pm.register(PluginManifest.from_file(manifest))


def test_the_last_one_is_written_soon(qtbot: QtBot) -> None:
    soon = Soon()
    soon.remember(LastSettings("first.pt"))
    soon.remember(LAST)
    assert recall() == LastSettings()
    qtbot.waitUntil(lambda: recall() == LAST)


def test_it_is_written_where_the_application_ends_before(qapp: QApplication) -> None:
    soon = Soon()

    def end() -> None:
        soon.remember(LAST)
        qapp.quit()

    QTimer.singleShot(0, end)
    qapp.exec()
    assert recall() == LAST
