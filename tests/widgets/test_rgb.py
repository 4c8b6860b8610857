"""Colours: uint8, alpha copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.widgets.conftest import Blur, make_plan, run_into

from napari_tessera.models import load_model
from napari_tessera.prediction import predict
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.output_store import make_store
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_colours_are_uint8_with_alpha_copied(channels: int, kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (5, 40, 50, channels), np.uint8)
    image = source[..., :3]
    plan = make_plan(image, "TYXC", patch_size=(16, 16), region={"T": slice(1, 4)})
    colours = Colours("uint8", source)
    store: Any = (
        make_store(plan, "TYX", colours)
        if kind == "memory"
        else DiskStore(plan, "TYX", colours, save=ResolvedTarget(tmp_path / "a.ome.zarr"))
    )
    run_into(store, plan, image, "TYXC")
    shown = np.asarray(store.data())
    expected = predict(ArrayStack(image, "TYXC"), load_model(Blur(), device="cpu"), plan=plan)
    if kind == "memory":
        assert shown.shape == source.shape
        assert shown[0].max() == 0
        shown = shown[1:4]
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[..., :3], np.rint(expected))
    if channels == 4:
        np.testing.assert_array_equal(shown[..., 3], source[1:4, ..., 3])


@pytest.mark.parametrize(("dtype", "top"), [("uint16", 65535), ("float32", 1), ("uint8", 255)])
def test_colours_of_any_dtype_reach_from_0_to_255(dtype: str, top: float) -> None:
    colours = Colours(dtype, np.zeros((2, 2, 3), dtype))
    core = np.array([-top, 0, top / 2, top, 2 * top, np.nan], np.float32)
    assert colours.to_uint8(core).tolist() in ([0, 0, 128, 255, 255, 0], [0, 0, 127, 255, 255, 0])
