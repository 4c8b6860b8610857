"""Stores behind output layers: kept, reused, let go of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from tests.widgets.conftest import make_plan, noisy

from napari_tessera.region import Region
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.live_layer import LiveLayer
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.outputs import Outputs


def test_a_preview_in_memory_is_given_again_and_goes_with_its_layer() -> None:
    viewer = ViewerModel()
    image = noisy((3, 64, 64))
    source = viewer.add_image(image, name="cells")
    plan = make_plan(image, "ZYX", region={"Z": 1})
    store = MemoryStore(plan, Region.from_selection("ZYX", image.shape), "ZYX")
    outputs = Outputs(viewer)
    assert outputs.reusable(source) is None
    live = LiveLayer(viewer, source, "ZYX", store, part=True)
    assert live.layer is not None
    assert outputs.reusable(source) is None
    outputs.keep(live.layer, store)
    assert outputs.reusable(source) is store
    viewer.layers.remove(live.layer)
    outputs.removed(live.layer)
    assert store.array.size == 0
    assert outputs.reusable(source) is None


def test_what_a_layer_showed_before_is_let_go_of(tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((64, 64)))
    plan = make_plan(noisy((64, 64)), "YX")
    first, second = DiskStore(plan, "YX"), DiskStore(plan, "YX")
    outputs = Outputs(viewer)
    outputs.keep(layer, first)
    outputs.keep(layer, first)
    assert first.path.parent.exists()
    outputs.keep(layer, second)
    assert not first.path.parent.exists()
    assert second.path.parent.exists()
    outputs.removed(layer)
    assert not second.path.parent.exists()
