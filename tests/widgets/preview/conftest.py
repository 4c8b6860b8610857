"""Caches with tiles of real predictions, and a window whose live preview is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from tests.widgets.conftest import Blur
from tests.widgets.preview.window import Window

from napari_tessera.models import load_model
from napari_tessera.prediction import PredictionPlan, iter_predictions, plan_prediction
from napari_tessera.prediction.inference import TileModel
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.dock import DenoiseDock
from napari_tessera.widgets.preview.same_pixels import pixels_key
from napari_tessera.widgets.preview.tile_cache import TileCache


def filled(
    image: NDArray[Any], axes: str, every: int = 1, model: Any = None, **settings: Any
) -> tuple[TileCache, PredictionPlan, str, NDArray[np.float32]]:
    """A cache with every n-th tile of an image, the plan, its set, and what all of it shows."""
    stack, loaded = ArrayStack(image, axes), load_model(model or Blur(), device="cpu")
    plan = plan_prediction(stack, loaded, **settings)
    cache, name = TileCache(2**30), pixels_key(plan, "cpu")
    expected = np.full(plan.layout.output_shape, np.nan, np.float32)
    for region in iter_predictions(plan, stack, loaded):
        index = region.additional_metadata["tile_index"]
        if index % every == 0:
            cache.put(name, plan.tiles.grid_number(*plan.tiles.position(index)), region)
            expected[plan.tiles.block(index)] = plan.layout.to_output(region.data)
    return cache, plan, name, expected


@pytest.fixture
def window(
    make_napari_viewer: Any, qtbot: QtBot, blur: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Window]:
    viewer = make_napari_viewer(show=True)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise", area="right")
    window = Window(viewer, dock, qtbot, blur)
    batch = TileModel._batch

    def counted(self: TileModel, model: Any, tiles: Any, cut: Any) -> Any:
        window.predicted["tiles"] += len(tiles)
        return batch(self, model, tiles, cut)

    monkeypatch.setattr(TileModel, "_batch", counted)
    yield window
    dock.shut_down()
    window.wait(lambda: not window.live.engine.working)
