"""What napari loads of the plugin when it starts, and what opening its parts loads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

STARTS = """
import json, os, sys
import napari
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer(show=False)
QApplication.processEvents()
manager = PluginManager.instance()
assert "napari-tessera" in {manifest.name for manifest in manager.iter_manifests()}
assert any(widget.plugin_name == "napari-tessera" for widget in manager.iter_widgets())
assert "napari-tessera" in dict(manager.iter_sample_data())
assert any(item.command == "napari-tessera.denoise"
           for item in manager.iter_menu("napari/layers/filter"))
assert list(manager.iter_compatible_writers(["image"]))
stages = {"start": sorted(sys.modules)}
for name in ("commands", "sample_data", "dock", "layer_writers"):
    __import__(f"napari_tessera.widgets.{name}")
    stages[name] = sorted(sys.modules)
print("LOADED" + json.dumps(stages), flush=True)
os._exit(0)  # what ends later is not looked at
"""

ALONE = """
import json, os, sys
import napari
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication

manager = PluginManager.instance()
manager.discover()
manager.disable("napari-tessera")
viewer = napari.Viewer(show=False)
QApplication.processEvents()
assert manager.is_disabled("napari-tessera")
print("LOADED" + json.dumps({"alone": sorted(sys.modules)}), flush=True)
os._exit(0)
"""

HEAVY = {"torch", "h5py", "bioio", "scipy.fft", "scipy.ndimage"}
FORMATS = {"zarr", "tifffile", "yaozarrs"}


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Modules that a fresh napari has loaded at its start, and with each part of ours.

    Without those that it loads where this plugin is disabled.
    """
    # napari 0.7 loads some of them itself
    alone = _loaded_by(ALONE)["alone"]
    return {stage: modules - alone for stage, modules in _loaded_by(STARTS).items()}


def _loaded_by(program: str) -> dict[str, set[str]]:
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    told = [line for line in made.stdout.splitlines() if line.startswith("LOADED")]
    assert told, made.stderr
    stages = json.loads(told[0].removeprefix("LOADED"))
    return {stage: set(modules) for stage, modules in stages.items()}


def test_napari_starts_without_loading_anything_of_the_plugin(
    loaded: dict[str, set[str]],
) -> None:
    """Plugins are found, menus filled, readers and writers looked up from the manifest alone."""
    names = loaded["start"]
    assert not [name for name in names if name.partition(".")[0] == "napari_tessera"]
    assert not names & (HEAVY | FORMATS)


@pytest.mark.parametrize("part", ["commands", "sample_data"])
def test_menus_load_neither_the_engine_nor_formats(part: str, loaded: dict[str, set[str]]) -> None:
    assert f"napari_tessera.widgets.{part}" in loaded[part]
    assert not loaded[part] & (HEAVY | FORMATS)


@pytest.mark.parametrize("part", ["dock", "layer_writers"])
def test_neither_the_dock_nor_writers_load_networks(part: str, loaded: dict[str, set[str]]) -> None:
    """They do so in a thread, once there is an image."""
    assert f"napari_tessera.widgets.{part}" in loaded[part]
    assert not loaded[part] & HEAVY
