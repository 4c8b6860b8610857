"""What is remembered, in the file that napari keeps for settings of this plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from napari import settings as napari_settings
from npe2 import PluginManifest

import napari_tessera
from napari_tessera.widgets.remembered.store import (
    PLUGIN,
    LastSettings,
    recall,
    remember,
    sizes_of,
)

from .needs import PLUGIN_SETTINGS

pytestmark = PLUGIN_SETTINGS

LAST = LastSettings("/models/n2v.pt", (64, 256, 256), (16, 48, 48), "cuda:0", "tcp://host:8786")
MANIFEST = Path(napari_tessera.__file__).parent / "napari.yaml"


@pytest.fixture
def kept(plugin_settings: None, npe2pm: Any, tmp_path: Path) -> Path:
    """File of the settings, in a folder of the test's own."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return tmp_path / f"{PLUGIN}.yaml"


def start_anew() -> None:
    """As another start of napari does: settings are read from their file."""
    napari_settings._clear_plugin_settings_cache()


def test_nothing_is_remembered_at_first(kept: Path) -> None:
    assert recall() == LastSettings()
    assert not kept.exists()


def test_what_is_remembered_is_there_at_the_next_start(kept: Path) -> None:
    remember(LAST)
    start_anew()
    assert recall() == LAST
    written = yaml.safe_load(kept.read_text())["denoise"]
    assert written["model"] == "/models/n2v.pt"
    assert json.loads(written["tile_size"]) == [64, 256, 256]


def test_forgetting_lasts(kept: Path) -> None:
    remember(LAST)
    remember(LastSettings())
    start_anew()
    assert recall() == LastSettings()


def test_all_settings_are_written_at_once_and_only_where_one_is_another(kept: Path) -> None:
    written: list[object] = []
    events: Any = napari_settings.get_plugin_settings(PLUGIN)
    events.events.changed.connect(written.append)
    remember(LAST)
    assert len(written) == 1
    remember(LAST)
    assert len(written) == 1
    remember(LastSettings())
    assert len(written) == 2


def test_a_setting_left_to_the_software_is_forgotten_alone(kept: Path) -> None:
    remember(LAST)
    remember(LastSettings("/models/n2v.pt"))
    start_anew()
    assert recall() == LastSettings("/models/n2v.pt")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "- 1",
        "3",
        "denoise: 3",
        "denoise: {model: [1, 2]}",
        "\0",
        "denoise: {tile_size: '[1, 2', overlap: '[[[', device: {a: b}}",
        "denoise: {tile_size: '[1, \"x\"]'}",
    ],
)
def test_damage_is_as_if_nothing_was_there(kept: Path, content: str) -> None:
    kept.write_text(content)
    assert recall() == LastSettings()
    remember(LAST)
    remember(LastSettings())


def test_what_is_whole_of_a_damaged_file_counts(kept: Path) -> None:
    kept.write_text("denoise: {tile_size: '{', overlap: '[8, 8]', device: cpu, unknown: 3}")
    assert recall() == LastSettings(overlap=(8, 8), device="cpu")


def test_a_folder_that_cannot_be_written_is_no_error(kept: Path) -> None:
    kept.mkdir()
    remember(LAST)
    start_anew()
    assert recall() == LastSettings()


def test_a_napari_that_does_not_know_the_plugin_remembers_nothing(
    plugin_settings: None, npe2pm: Any
) -> None:
    remember(LAST)
    assert recall() == LastSettings()


@given(st.text() | st.lists(st.integers(), max_size=4).map(json.dumps))
def test_sizes_are_two_or_three_whole_numbers_or_none(text: str) -> None:
    sizes = sizes_of(text)
    assert sizes == () or (len(sizes) in (2, 3) and all(0 <= size <= 10**6 for size in sizes))


def test_deep_nesting_is_no_size() -> None:
    assert sizes_of("[" * 100_000) == ()
    assert sizes_of("[true, 3]") == ()
    assert sizes_of("[9" + "9" * 5000 + ", 3]") == ()
