"""Runs that go on with settings typed again."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from napari_tessera import load_model, models, open_stack, plan_prediction, predict_to_disk
from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.prediction.resuming import resumed_plan


@pytest.fixture
def image() -> Any:
    noise = np.random.default_rng(0).integers(0, 4000, (3, 2, 300, 290)).astype(np.uint16)
    return open_stack(noise, "TCYX")


def blur(*channels: int) -> nn.Module:
    layer = nn.Conv2d(*(channels or (1, 1)), 3, padding=1)
    nn.init.constant_(layer.weight, 1 / 9)
    return layer.eval()


def again(plan: PredictionPlan, image: Any, model: Any, **settings: Any) -> PredictionPlan:
    return resumed_plan(plan.to_dict(), settings, image, model, resumed="a.zarr")


PLANNED: list[dict[str, Any]] = [
    {},
    {"patch_size": 128},
    {"overlaps": 12, "blending": "linear"},
    {"region": {"T": [0, 2], "Y": slice(20, 250)}},
    {"normalization": "series"},
    {"normalization": "time_point", "statistics": "exact"},
    {"normalization": "none", "tta": "mean"},
    {"output_dtype": "input", "region": {"C": 1}},
    {"patch_size": (4000, 64)},
]


@pytest.mark.parametrize("planned", PLANNED, ids=str)
def test_what_is_not_typed_is_the_stored_plan_s(image: Any, planned: dict[str, Any]) -> None:
    model = load_model(blur())
    plan = plan_prediction(image, model, **planned)
    assert again(plan, image, model) == plan
    every = {"tta": plan.tta, "patch_size": plan.patch_size, "blending": plan.blending}
    for settings in (planned, every, *({name: value} for name, value in planned.items())):
        found = again(plan, image, model, batch_size=3, torch_threads=1, **settings)
        assert found.fingerprint == plan.fingerprint, settings
        assert (found.settings.batch_size, found.settings.torch_threads) == (3, 1)


def test_channels_that_go_to_the_model_together_stay(image: Any) -> None:
    model = load_model(blur(2, 1))
    plan = plan_prediction(image, model, region={"C": [1, 0], "T": 1})
    assert plan.input_channels == (1, 0)
    assert again(plan, image, model, blending="crop").fingerprint == plan.fingerprint
    other = again(plan, image, model, region={"C": [0, 1], "T": 1})
    assert other.input_channels == (0, 1)


@pytest.mark.parametrize(
    "typed",
    [
        {"patch_size": 64},
        {"overlaps": 32},
        {"tta": "mean"},
        {"region": {"T": 0}},
        {"output_dtype": "uint16"},
        {"statistics": "exact"},
        {"blending": "linear"},
    ],
    ids=str,
)
def test_what_is_typed_and_differs_is_kept(image: Any, typed: dict[str, Any]) -> None:
    model = load_model(blur())
    plan = plan_prediction(image, model, patch_size=128, normalization="series")
    assert again(plan, image, model, **typed).fingerprint != plan.fingerprint


def test_settings_of_no_kind_are_told(image: Any) -> None:
    model = load_model(blur())
    plan = plan_prediction(image, model)
    with pytest.raises(PlanError, match="batch size 0 is below 1"):
        again(plan, image, model, batch_size=0)
    with pytest.raises(PlanError, match=r"a\.zarr cannot be resumed, its run is of the model"):
        again(plan, image, load_model(nn.Conv2d(1, 1, 1)), patch_size=128)


def stopped(image: Any, model: Any, path: Path, **settings: Any) -> None:
    stop = Event()
    predict_to_disk(
        image, model, path, cancel=stop, progress=lambda state: stop.set(), batch_size=1, **settings
    )
    assert state(path) == "stopped"


def state(path: Path) -> Any:
    attributes: Any = zarr.open_group(path, mode="r").attrs["napari_tessera"]
    return attributes["state"]


def test_less_free_memory_and_another_batch_do_not_stand_in_the_way(
    image: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ome.zarr"
    layers = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 1, 3, padding=1)).eval()
    stopped(image, layers, path, blending="crop")
    really: Callable[..., Any] = models.available_devices

    def little(*args: Any, **kwargs: Any) -> Any:
        return [replace(device, free_bytes=30 * 2**20) for device in really(*args, **kwargs)]

    monkeypatch.setattr(models, "available_devices", little)
    predict_to_disk(image, layers, path, blending="crop", batch_size=2, resume=True)
    assert state(path) == "finished"


def test_a_model_that_was_renamed_is_the_same(image: Any, tmp_path: Path) -> None:
    first, renamed = tmp_path / "m1.pt", tmp_path / "m2.pt"
    with warnings.catch_warnings():
        # old files are read all the same
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(blur(), torch.zeros(1, 1, 64, 64)).save(str(first))
    shutil.copy(first, renamed)
    assert (
        plan_prediction(image, first, patch_size=64).fingerprint
        == plan_prediction(image, renamed, patch_size=64).fingerprint
    )
    for number, settings in enumerate([{}, {"patch_size": 64}]):
        path = tmp_path / f"{number}.ome.zarr"
        stopped(image, first, path, patch_size=64)
        with pytest.raises(ValueError, match=r"patch size \(64,64 there, 32,32 now"):
            predict_to_disk(image, renamed, path, resume=True, patch_size=32)
        predict_to_disk(image, renamed, path, resume=True, **settings)
        assert state(path) == "finished"


def test_a_plan_names_its_model(image: Any) -> None:
    plan = plan_prediction(image, load_model(blur()))
    assert plan.to_dict()["model_name"] == plan.model_name == "Conv2d"
    assert PredictionPlan.from_json(plan.to_json()) == plan
    assert replace(plan, model_name="other").fingerprint == plan.fingerprint


def test_a_stored_plan_that_cannot_be_followed_names_the_store(image: Any) -> None:
    model = load_model(blur())
    damaged = plan_prediction(image, model).to_dict()
    damaged["settings"]["batch_size"] = -3
    with pytest.raises(PlanError, match=r"a\.zarr cannot be resumed, its plan .*-3.*overwrite it"):
        resumed_plan(damaged, {}, image, model, resumed="a.zarr")
