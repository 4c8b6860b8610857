"""The reference is that of this code, and real plans are valid under its schema."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command

from napari_tessera import PredictionPlan, load_model, open_stack, plan_prediction
from napari_tessera.cli.app import app
from napari_tessera.models import ChannelModels

from .pages import ROOT

FOLDER = ROOT / "docs" / "reference"
POLYGON = [(5, 5), (5, 40), (40, 5)]


def same(x: Any) -> Any:
    return x


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((FOLDER / "plan.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module")
def stored() -> Callable[..., dict[str, Any]]:
    """A plan as JSON stores it, of an image of noise."""
    rng = np.random.default_rng(0)

    def make(
        axes: str = "YX", shape: tuple[int, ...] = (60, 70), model: Any = same, **settings: Any
    ) -> dict[str, Any]:
        stack = open_stack(rng.poisson(50, shape).astype(np.uint16), axes)
        loaded = model if isinstance(model, ChannelModels) else load_model(model, device="cpu")
        plan = plan_prediction(stack, loaded, **{"patch_size": 32, "overlaps": 8, **settings})
        text = plan.to_json()
        assert PredictionPlan.from_json(text) == plan
        stored: dict[str, Any] = json.loads(text)
        return stored

    return make


def test_the_reference_is_that_of_this_code() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_page_has_each_option_of_each_command() -> None:
    page = (FOLDER / "cli.md").read_text("utf-8")
    sections = dict(re.findall(r"^## napari-tessera ([\w ]+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))

    def compare(command: Any, words: str) -> list[str]:
        if inner := getattr(command, "commands", None):
            return [w for n, each in inner.items() for w in compare(each, f"{words} {n}".strip())]
        known = {name for each in command.params for name in each.opts if name.startswith("-")}
        table = sections[words].split("| option |", 1)[1]
        named = re.findall(r"^\| `(-[^`, ]+(?:, -[^`, ]+)*)", table, re.MULTILINE)
        assert {name for names in named for name in names.split(", ")} == known - {"--help"}
        return [words]

    assert compare(get_command(app), "") == list(sections)


@pytest.mark.parametrize(
    ("made", "version"),
    [
        ({}, 3),
        ({"axes": "ZYX", "shape": (3, 60, 70), "region": {"Z": [0, 2], "Y": slice(10, 50)}}, 3),
        ({"axes": "TCYX", "shape": (3, 2, 60, 70), "normalization": "time_point"}, 3),
        ({"axes": "CYX", "shape": (2, 60, 70), "region": {"C": [1]}}, 3),
        ({"blending": "linear", "tta": "median", "output_dtype": "input"}, 3),
        (
            {"normalization": "series", "statistics": "exact", "batch_size": 4, "torch_threads": 2},
            3,
        ),
        ({"inside": [POLYGON]}, 4),
        ({"hot_pixels": "replace"}, 5),
        ({"camera_offset": 10, "camera_gain": 0.5, "inside": [POLYGON]}, 5),
        ({"model": "builtin:denoise2d", "patch_size": "auto", "overlaps": "auto"}, 3),
        (
            {
                "model": "builtin:denoise3d",
                "axes": "ZYX",
                "shape": (5, 60, 70),
                "patch_size": "auto",
                "overlaps": "auto",
            },
            3,
        ),
    ],
)
def test_a_real_plan_is_valid(
    made: dict[str, Any],
    version: int,
    stored: Callable[..., dict[str, Any]],
    validator: Draft202012Validator,
) -> None:
    plan = stored(**made)
    assert [error.message for error in validator.iter_errors(plan)] == []
    assert plan["fingerprint_of"]["version"] == version


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("model_name",), None),
        (("settings", "batch_size"), 0),
        (("settings", "more"), 1),
        (("fingerprint_of", "more"), 1),
        (("fingerprint_of", "version"), 2),
        (("fingerprint_of", "version"), 4),
        (("fingerprint_of", "camera_gain"), 2.0),
        (("fingerprint_of", "input_axes"), "AB"),
        (("fingerprint_of", "patch_size"), [32]),
        (("fingerprint_of", "overlaps"), [7, 8]),
        (("fingerprint_of", "blending"), "cubic"),
        (("fingerprint_of", "tta"), ""),
        (("fingerprint_of", "model_sha256"), "abc"),
        (("fingerprint_of", "region_selection"), {"Y": {"start": 1}}),
        (("fingerprint_of", "region_selection"), {"Q": [1]}),
        (("fingerprint_of", "normalization", "kind"), "minmax"),
        (("fingerprint_of", "normalization", "values"), []),
        (("fingerprint_of", "normalization", "measured"), None),
    ],
)
def test_a_broken_plan_is_not_valid(
    place: tuple[str, ...],
    value: Any,
    stored: Callable[..., dict[str, Any]],
    validator: Draft202012Validator,
) -> None:
    plan = copy.deepcopy(stored())
    inner = plan
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    assert not validator.is_valid(plan)
    del inner[place[-1]]
    if place[-1] not in ("more", "camera_gain"):
        assert not validator.is_valid(plan)
