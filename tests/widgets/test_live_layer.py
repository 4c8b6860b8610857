"""The output layer while it fills: refreshed rarely, only for what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from tests.widgets.conftest import make_plan, noisy

from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.widgets import live_layer
from napari_tessera.widgets.live_layer import FASTEST, FASTEST_3D, LOOK, LiveLayer
from napari_tessera.widgets.memory_store import MemoryStore


class Clock:
    """Time as a test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live_layer, "time", clock)
    return clock


def memory(plan: PredictionPlan, letters: str) -> MemoryStore:
    layout = plan.layout
    held = Region.from_selection(layout.output_axes, layout.output_shape)
    return MemoryStore(plan, held, letters)


def make(viewer: ViewerModel, **region: Any) -> tuple[LiveLayer, Image]:
    image = noisy((4, 64, 64))
    layer = viewer.add_image(image, name="cells")
    viewer.dims.set_current_step(0, 1)
    plan = make_plan(image, "ZYX", patch_size=(32, 32), region=region or None)
    return LiveLayer(viewer, layer, "ZYX", memory(plan, "ZYX")), layer


def tile_of_plane(live: LiveLayer, plane: int) -> int:
    return next(
        i
        for i in range(live.store.plan.total_tiles)
        if live.store.plan.tiles.block(i)[0].start == plane
    )


def test_starts_as_nan_with_the_plan_as_json() -> None:
    viewer = ViewerModel()
    live, source = make(viewer)
    assert live.layer is not None
    assert np.isnan(live.layer.data).all()
    assert live.layer.data.dtype == np.float32
    assert PredictionPlan.from_json(live.layer.metadata["napari_tessera"]) == live.store.plan
    assert live.layer is not source


def test_refreshes_at_most_ten_times_a_second(clock: Clock) -> None:
    live, _ = make(ViewerModel())
    shown = tile_of_plane(live, 1)
    refreshed = 0
    for _ in range(200):
        clock.now += 0.01
        live.mark([shown])
        refreshed += live.tick()
    assert 15 <= refreshed <= 20
    assert FASTEST == 0.1


def test_refreshes_once_a_second_in_3d(clock: Clock) -> None:
    viewer = ViewerModel()
    live, _ = make(viewer)
    viewer.dims.ndisplay = 3
    refreshed = 0
    for _ in range(50):
        clock.now += 0.1
        live.mark([0])
        refreshed += live.tick()
    assert 4 <= refreshed <= 5
    assert FASTEST_3D == 1.0


def test_tiles_of_other_planes_refresh_nothing(clock: Clock) -> None:
    viewer = ViewerModel()
    live, _ = make(viewer)
    assert live.layer is not None
    uploads: list[Any] = []
    live.layer.events.set_data.connect(uploads.append)
    live.mark([tile_of_plane(live, 3)])
    clock.now += 1
    assert not live.tick()
    assert uploads == []
    live.mark([tile_of_plane(live, 1)])
    clock.now += 1
    assert live.tick()
    assert len(uploads) == 1
    clock.now += 1
    assert not live.tick()


def test_what_was_not_due_is_shown_later(clock: Clock) -> None:
    live, _ = make(ViewerModel())
    live.mark([tile_of_plane(live, 1)])
    assert live.tick()
    live.mark([tile_of_plane(live, 1)])
    assert not live.tick()
    clock.now += 0.2
    assert live.tick()


def test_large_slices_are_refreshed_more_rarely(clock: Clock) -> None:
    viewer = ViewerModel()
    image = np.zeros((12_000, 12_000), np.uint8)
    layer = viewer.add_image(image)
    plan = make_plan(image, "YX", region={"Y": slice(0, 8), "X": slice(0, 8)})
    store = MemoryStore(plan, plan.region, "YX")
    # as large as the image, and no memory of it
    store.data = lambda: np.broadcast_to(np.float32(0), (12_000, 12_000))  # type: ignore[method-assign]
    live = LiveLayer(viewer, layer, "YX", store)
    live.mark([0])
    assert live.tick()
    live.mark([0])
    clock.now += 0.1
    assert not live.tick()
    clock.now += 1.5
    assert not live.tick()
    clock.now += 0.5
    assert live.tick()


def test_slow_painting_is_given_a_share_of_the_time(clock: Clock) -> None:
    live, _ = make(ViewerModel())
    live.mark([tile_of_plane(live, 1)])
    assert live.tick()
    # The next look is late by what painting took.
    clock.now += LOOK + 0.4
    live.mark([tile_of_plane(live, 1)])
    assert not live.tick()
    clock.now += 1.4
    assert not live.tick()
    clock.now += 0.2
    assert live.tick()


def test_contrast_limits_stay(clock: Clock) -> None:
    viewer = ViewerModel()
    live, source = make(viewer)
    assert live.layer is not None
    live.layer.data[:] = 1e6
    live.mark([tile_of_plane(live, 1)])
    live.tick()
    live.finish()
    assert live.layer.contrast_limits == source.contrast_limits


def test_companions_are_refreshed_with_it(clock: Clock) -> None:
    viewer = ViewerModel()
    live, _ = make(viewer)
    other = viewer.add_image(noisy((4, 64, 64)))
    uploads: list[Any] = []
    other.events.set_data.connect(uploads.append)
    live.companions.append(other)
    live.mark([tile_of_plane(live, 1)])
    live.tick()
    assert len(uploads) == 1


def test_a_preview_is_used_again() -> None:
    viewer = ViewerModel()
    first, source = make(viewer, Z=1)
    plan = make_plan(source.data, "ZYX", region={"Z": 2})
    store = first.store
    assert isinstance(store, MemoryStore)
    assert store.take(plan)
    again = LiveLayer(viewer, source, "ZYX", store, first.layer)
    assert again.layer is first.layer
    assert len(viewer.layers) == 2
    assert again.layer is not None
    assert PredictionPlan.from_json(again.layer.metadata["napari_tessera"]) == plan


def test_a_preview_of_a_part_moves_to_its_place() -> None:
    viewer = ViewerModel()
    image = noisy((4, 64, 64))
    source = viewer.add_image(image, scale=(2, 0.5, 0.5), name="cells")
    plans = [make_plan(image, "ZYX", region={"Z": z}) for z in (1, 3)]
    first = LiveLayer(viewer, source, "ZYX", MemoryStore(plans[0], plans[0].region, "ZYX"))
    assert first.layer is not None
    assert first.layer.data.shape == (1, 64, 64)
    assert first.layer.data_to_world((0, 0, 0))[0] == 2
    again = LiveLayer(
        viewer, source, "ZYX", MemoryStore(plans[1], plans[1].region, "ZYX"), first.layer
    )
    assert again.layer is first.layer
    assert again.layer.data_to_world((0, 0, 0))[0] == 6
    viewer.dims.set_current_step(0, 3)
    again.mark([0])
    assert again.tick()


def test_a_preview_that_does_not_fit_is_left_alone() -> None:
    viewer = ViewerModel()
    image = noisy((4, 64, 64))
    source = viewer.add_image(image)
    plan = make_plan(image, "ZYX")
    flat = viewer.add_image(noisy((64, 64)))
    live = LiveLayer(viewer, source, "ZYX", memory(plan, "ZYX"), flat)
    assert live.layer is not flat


def test_a_layer_that_was_removed_is_not_touched() -> None:
    viewer = ViewerModel()
    live, _ = make(viewer)
    viewer.layers.remove(live.layer)
    live.finish()
    assert len(viewer.layers) == 1
