from __future__ import annotations

import numpy as np
import torch
import zarr
from zarr.storage import MemoryStore

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.prediction.run_facts import about_model, run_info
from napari_tessera.prediction.schedule import Schedule


def test_a_run_is_told_with_model_chunks_and_a_way_to_ask_for_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (2, 70, 60)).astype(np.uint16)
    array = zarr.create_array(MemoryStore(), shape=(2, 70, 60), chunks=(1, 32, 20), dtype="uint16")
    array[:] = pixels
    stack = open_stack(array, "CYX")
    model = load_model("builtin:denoise2d")
    plan = plan_prediction(stack, model, patch_size=32, overlaps=8, region={"C": 1})
    schedule = Schedule(plan.tiles, done=[1])
    info = run_info(plan, stack, model, schedule, resume=True)
    assert info.source_chunks == (1, 32, 20)
    assert info.read_input is not None
    np.testing.assert_array_equal(
        info.read_input((slice(0, 1), slice(60, 70), slice(3, 9))), pixels[:1, 60:, 3:9]
    )
    assert info.model == {
        "name": model.name,
        "sha256": model.sha256,
        "licence": model.loaded.about.licence,
    }
    assert info.model["licence"]
    assert (info.input_dtype, info.input_fingerprint) == ("uint16", plan.input_fingerprint)
    assert info.done is not None
    assert (info.done[1], sum(info.done)) == (1, 1)
    assert info.resume


def test_each_channel_s_model_is_named() -> None:
    model = load_model({0: torch.nn.Conv2d(1, 1, 1), 2: "builtin:denoise2d"})
    about = about_model(model)
    assert list(about["channels"]) == ["0", "2"]
    assert about["channels"]["2"] == about_model(load_model("builtin:denoise2d"))
    assert about["channels"]["0"]["licence"] is None
    assert about["sha256"] == model.sha256
