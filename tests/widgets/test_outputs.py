"""Stores behind output layers: kept, reused, let go of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from tests.widgets.conftest import make_plan, noisy, run_into

from napari_tessera.region import Region
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.disk_view import DiskView
from napari_tessera.widgets.live_layer import LiveLayer
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.outputs import Outputs
from napari_tessera.widgets.removed_noise import add_removed_noise


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


def on_disk(viewer: ViewerModel, outputs: Outputs) -> tuple[DiskStore, LiveLayer, Image]:
    """A finished output in a temporary folder, and its removed noise."""
    image = noisy((3, 64, 64))
    source = viewer.add_image(image, name="cells")
    plan = make_plan(image, "ZYX")
    store = DiskStore(plan, "ZYX")
    run_into(store, plan, image, "ZYX")
    live = LiveLayer(viewer, source, "ZYX", store)
    assert live.layer is not None
    outputs.keep(live.layer, store)
    noise = add_removed_noise(viewer, source, "ZYX", live)
    assert noise is not None
    return store, live, noise


def test_a_temporary_output_stays_as_long_as_its_removed_noise() -> None:
    viewer = ViewerModel()
    outputs = Outputs(viewer)
    store, live, noise = on_disk(viewer, outputs)
    before = np.asarray(noise.data)
    assert np.isfinite(before).all()
    viewer.layers.remove(live.layer)
    outputs.removed(live.layer)
    np.testing.assert_array_equal(np.asarray(noise.data), before)
    viewer.layers.remove(noise)
    outputs.removed(noise)
    assert not store.path.parent.exists()


def test_a_temporary_output_stays_as_long_as_a_copy_of_its_layer() -> None:
    viewer = ViewerModel()
    outputs = Outputs(viewer)
    store, live, noise = on_disk(viewer, outputs)
    assert live.layer is not None
    copies = [
        viewer.add_image(live.layer.data, name="copy"),
        viewer.add_image([live.layer.data, live.layer.data[:, ::2, ::2]], name="levels"),
        viewer.add_image(DiskView(store.array, store.held, "XYZ"), name="turned"),
    ]
    for layer in (live.layer, noise, *copies):
        assert store.path.exists()
        viewer.layers.remove(layer)
        outputs.removed(layer)
    assert not store.path.parent.exists()


def test_what_a_copy_shows_stays_when_the_layer_is_used_again() -> None:
    viewer = ViewerModel()
    outputs = Outputs(viewer)
    store, live, noise = on_disk(viewer, outputs)
    assert live.layer is not None
    second = DiskStore(store.plan, "ZYX")
    run_into(second, store.plan, noisy((3, 64, 64), 1), "ZYX")
    live.layer.data = second.data()
    outputs.keep(live.layer, second)
    assert store.path.exists()
    viewer.layers.remove(noise)
    outputs.removed(noise)
    assert not store.path.parent.exists()
    assert second.path.exists()
    outputs.removed(live.layer)
