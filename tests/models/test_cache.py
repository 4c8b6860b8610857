from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_tessera.models import ModelGeometry, ValidSizes, load_model
from napari_tessera.models.cache import MOST_FILES, VARIABLE, VERSION, Facts, _of_process

GEOMETRY = ModelGeometry(
    (3, 26),
    (1, 4),
    2,
    ("a note",),
    (1.0, 0.5),
    (1, 0),
    (2, 0),
    ValidSizes((8, 512), (4, 0), (None, 512)),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def _other_process() -> None:
    """Forget what this process knows."""
    _of_process.cache_clear()


def _only_file(folder: Path) -> Path:
    (path,) = (folder / "models").iterdir()
    return path


def test_facts_are_known_to_every_process(folder: Path) -> None:
    Facts("one").put("geometry", GEOMETRY.to_json())
    Facts("one").put("memory", 12.5)
    _other_process()
    facts = Facts("one")
    assert ModelGeometry.from_json(facts.get("geometry"), 2) == GEOMETRY
    assert facts.get("memory") == 12.5
    assert facts.get("own_test") is None
    assert Facts("other").get("memory") is None


def test_facts_of_one_process_need_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    Facts("no disk").put("memory", 1.0)
    assert Facts("no disk").get("memory") == 1.0
    _other_process()
    assert Facts("no disk").get("memory") is None


def test_facts_without_a_key_are_of_one_model_alone(folder: Path) -> None:
    facts = Facts(None)
    facts.put("memory", 1.0)
    assert facts.get("memory") == 1.0
    assert Facts(None).get("memory") is None
    assert not folder.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: "null",
        lambda text: text.replace('"one"', '"two"'),
        lambda text: text.replace(f'"version": [{VERSION}', '"version": [0'),
        lambda text: json.dumps({**json.loads(text), "facts": 3}),
        lambda text: "[" * 100_000,
        lambda text: "\udcff",
    ],
)
def test_damage_and_other_versions_are_as_if_nothing_was_there(
    folder: Path, damage: Callable[[str], str]
) -> None:
    Facts("one").put("memory", 1.0)
    path = _only_file(folder)
    path.write_text(damage(path.read_text()), errors="surrogateescape")
    _other_process()
    assert Facts("one").get("memory") is None
    Facts("one").put("memory", 2.0)
    _other_process()
    assert Facts("one").get("memory") == 2.0


_JSON = st.recursive(
    st.none() | st.integers(-3, 3) | st.floats(allow_nan=True) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(list(GEOMETRY.to_json())), _JSON), st.booleans())
def test_a_damaged_geometry_is_none_or_whole(changes: dict[str, object], with_sizes: bool) -> None:
    content = {**GEOMETRY.to_json(), **changes}
    if with_sizes:
        content["sizes"] = {**GEOMETRY.to_json()["sizes"], **changes}
    found = ModelGeometry.from_json(json.loads(json.dumps(content)), 2)
    if found is not None:
        again = ModelGeometry.from_json(found.to_json(), 2)
        assert again == found
        assert len(found.period) == len(found.output_scale) == len(found.sizes.maximum) == 2
        assert min(found.period) > 0


@pytest.mark.parametrize("content", [None, 3, [], {}, "text"])
def test_what_is_no_geometry(content: object) -> None:
    assert ModelGeometry.from_json(content, 2) is None


def test_a_geometry_of_other_axes_is_not_taken() -> None:
    assert ModelGeometry.from_json(GEOMETRY.to_json(), 3) is None


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    Facts("unwritable").put("memory", 1.0)
    assert Facts("unwritable").get("memory") == 1.0


def test_the_oldest_files_go_and_what_killed_processes_left(folder: Path) -> None:
    Facts("one").put("memory", 1.0)
    template = _only_file(folder)
    old = time.time() - 10_000
    for index in range(MOST_FILES + 5):
        path = template.with_name(f"old{index}.json")
        path.touch()
        os.utime(path, (old + index, old + index))
    left = template.with_name("x.partial")
    left.touch()
    os.utime(left, (old, old))
    fresh = template.with_name("y.partial")
    fresh.touch()
    Facts("two").put("memory", 1.0)
    names = {path.name for path in template.parent.glob("*.json")}
    assert len(names) == MOST_FILES
    assert {"one.json", "two.json"} <= names
    assert "old0.json" not in names
    assert not left.exists()
    assert fresh.exists()


def test_a_model_file_is_measured_once(
    folder: Path,
    make_unet: Callable[..., nn.Module],
    save: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = save(make_unet())
    first = load_model(path, device="cpu")
    assert first.geometry.reach == (26, 26)
    memory = first.memory_per_pixel
    _other_process()
    monkeypatch.setattr("napari_tessera.models.model.probe_geometry", None)
    monkeypatch.setattr("napari_tessera.models.figures.memory_of", None)
    again = load_model(path, device="cpu")
    assert again.geometry == first.geometry
    assert again.memory_per_pixel == memory
    assert again.largest_per_pixel == first.largest_per_pixel > 0
    assert again.sha256 in _only_file(folder).name


def test_what_lives_in_python_is_measured_each_time(folder: Path) -> None:
    scale = [1]
    for dilation in (1, 2):
        scale[0] = dilation
        module = nn.Conv2d(1, 1, 3, padding=dilation, dilation=dilation)
        assert load_model(lambda x, net=module: net(x)).geometry.reach == (dilation,) * 2
        assert load_model(module).geometry.reach == (dilation,) * 2
    assert not folder.exists()


def test_what_is_handed_out_can_be_changed_without_harm() -> None:
    facts = Facts("abc")
    given = {"numbers": [1, 2]}
    facts.put("fact", given)
    given["numbers"].append(3)
    facts.get("fact")["numbers"].clear()
    assert Facts("abc").get("fact") == {"numbers": [1, 2]}
