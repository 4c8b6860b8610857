"""Settings written to files, and read from files that may be anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image
from tests.widgets.conftest import make_plan, noisy

from napari_tessera.prediction import PredictionPlan
from napari_tessera.widgets.remembered.settings_file import (
    MOST_BYTES,
    StoredSettings,
    find_models,
    read_settings,
    write_settings,
)
from napari_tessera.widgets.request import EVERYTHING, RunRequest

LAYER = Image(np.zeros((4, 4)))


@pytest.fixture(scope="module")
def plan() -> PredictionPlan:
    return make_plan(noisy((3, 80, 70)), "TYX", patch_size=(64, 32), overlaps=(8, 8), tta="mean")


@pytest.fixture
def written(plan: PredictionPlan, tmp_path: Path) -> Path:
    return write_settings(tmp_path / "mine.json", plan, RunRequest((LAYER,), area=EVERYTHING))


def stored(**settings: Any) -> StoredSettings:
    return StoredSettings("mine.json", {"model_name": "builtin:denoise2d"}, **settings)


def test_what_is_written_is_read(plan: PredictionPlan, written: Path) -> None:
    read = read_settings(written)
    assert read == StoredSettings(
        "mine.json", json.loads(json.dumps(plan.to_dict())), "builtin:denoise2d", (), EVERYTHING
    )


def test_the_scheduler_goes_along(plan: PredictionPlan, tmp_path: Path) -> None:
    request = RunRequest((LAYER,), area=EVERYTHING)
    path = write_settings(tmp_path / "mine.json", plan, request, "tls://host:8786")
    assert read_settings(path).cluster == "tls://host:8786"


@pytest.mark.parametrize("value", [3, None, "", "no address at all", ["tcp://host:1"]])
def test_what_is_no_scheduler_in_a_file_is_left_out(written: Path, value: Any) -> None:
    content = json.loads(written.read_text())
    content["dock"]["cluster"] = value
    written.write_text(json.dumps(content))
    assert read_settings(written).cluster == ""


def test_the_file_is_a_plan(plan: PredictionPlan, written: Path) -> None:
    assert PredictionPlan.from_json(written.read_text()) == plan


def test_a_plan_of_the_command_line_is_settings(plan: PredictionPlan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan.to_json())
    assert read_settings(path).plan["fingerprint_of"]["patch_size"] == [64, 32]


def test_models_of_channels_go_along(plan: PredictionPlan, tmp_path: Path) -> None:
    request = RunRequest((LAYER,), channel_models=((0, "a.pt"), (2, Path("b.pt"))))
    path = write_settings(tmp_path / "mine", plan, request)
    assert path.name == "mine.json"
    assert read_settings(path).channel_models == ((0, "a.pt"), (2, "b.pt"))


def test_a_folder_that_cannot_be_written_is_told(plan: PredictionPlan, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"mine.json cannot be written .* choose another folder"):
        write_settings(tmp_path / "file" / "mine.json", plan, RunRequest((LAYER,)))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no text"),
        (b"[" * 200_000, "no JSON"),
        (b"9" * 6000, "no JSON"),
        (b"{}", "Save settings"),
        (b'{"fingerprint_of": 3}', "Save settings"),
        (b'{"fingerprint_of": {}}', "axes and shape"),
        (b'{"fingerprint_of": {"input_axes": "YX", "input_shape": [1, "2"]}}', "shape"),
        (b'{"fingerprint_of": {"input_axes": "YX", "input_shape": [1, 2]}}', "damaged"),
        (
            b'{"fingerprint_of": {"input_axes": "TYX", "input_shape": [999999999999, 2, 2]}}',
            "999,999,999,999 samples",
        ),
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=why) as caught:
        read_settings(path)
    assert "odd.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.json cannot be read: No such file"):
        read_settings(tmp_path / "none.json")
    with pytest.raises(ValueError, match="it is no file"):
        read_settings(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
        with pytest.raises(ValueError, match="it is no file"):
            read_settings(tmp_path / "pipe.json")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 20 MB"):
        read_settings(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(data=st.data(), value=VALUES)
def test_a_plan_with_anything_in_it_is_read_or_refused(
    plan: PredictionPlan, tmp_path_factory: pytest.TempPathFactory, data: Any, value: Any
) -> None:
    content = json.loads(json.dumps({**plan.to_dict(), "dock": {"model": "m.pt", "area": "x"}}))
    holder = data.draw(
        st.sampled_from(
            [content, content["fingerprint_of"], content["fingerprint_of"]["normalization"]]
        )
    )
    holder[data.draw(st.sampled_from(sorted(holder)))] = value
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(content))
    area, refusal = "", ""
    try:
        area = read_settings(path).area
    except ValueError as error:
        refusal = str(error)
    assert area == ""
    assert not refusal or refusal.startswith("any.json")


def test_a_model_that_is_there_is_found(tmp_path: Path) -> None:
    model = tmp_path / "n2v.pt"
    model.touch()
    assert find_models(stored(model=str(model)), []).model == str(model)
    assert find_models(stored(model="builtin:denoise2d"), []).lines == ()


def test_a_model_that_is_elsewhere_is_found_by_its_name(tmp_path: Path) -> None:
    here = tmp_path / "n2v.pt"
    here.touch()
    for wanted in ("/data/gone/n2v.pt", "C:\\models\\n2v.pt"):
        found = find_models(stored(model=wanted), ["/other.pt", str(here)])
        assert found.model == str(here)
        assert found.lines == (f"the model n2v.pt is taken from {here}",)
    # a plan of the command line tells the name alone
    plan = StoredSettings("plan.json", {"model_name": "n2v.pt"})
    assert find_models(plan, [str(here)]).model == str(here)


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("/data/gone/n2v.pt", "the model /data/gone/n2v.pt is not there: choose it, or another"),
        ("builtin:sorcery", "there is no built-in model builtin:sorcery: choose a model"),
        ("\\\\host\\share\\n2v.pt", "is on another machine: choose it"),
        ("//host/share/n2v.pt", "is on another machine: choose it"),
        ("https://host/n2v.pt", "is on another machine: choose it"),
        ("a\0b/c", "is not there"),
    ],
)
def test_a_model_that_is_nowhere_is_told(model: str, line: str) -> None:
    found = find_models(stored(model=model), [])
    assert found.model == ""
    assert line in found.lines[0]


def test_models_of_channels_are_looked_for_one_by_one(tmp_path: Path) -> None:
    here = tmp_path / "a.pt"
    here.touch()
    models = ((0, str(here)), (1, "/gone/b.pt"), (2, "/gone/b.pt"))
    found = find_models(stored(channel_models=models), [])
    assert found.channel_models == ((0, str(here)),)
    assert len(found.lines) == 1
