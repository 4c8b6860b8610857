"""Plans of everything for somebody who looks at a part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, noisy

from napari_tessera.prediction import PlanError, plan_prediction
from napari_tessera.prediction.planning import resolve_batch_size
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.preview.plans import LayerWish, PreviewPlans
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.worker import model_threads


def wish_of(
    image: Any, selection: dict[str, slice | int], model: Any = None, **settings: Any
) -> LayerWish:
    """A wish for a part of an image."""
    viewer = ViewerModel()
    layer = viewer.add_image(image)
    axes = settings.pop("axes", None)
    request = RunRequest(
        (layer,), model or Blur(), axes=axes, area=EVERYTHING, device="cpu", **settings
    )
    return LayerWish(LayerRun.of(viewer, request, layer), "image", selection, {})


def seen_at(wish: LayerWish, **selection: slice | int) -> LayerWish:
    """The same image and settings, looked at elsewhere."""
    return LayerWish(wish.run, wish.image, selection, {})


def of_everything(wish: LayerWish, models: ModelCache, **settings: Any) -> Any:
    """The plan that a run of everything makes."""
    request = wish.run.request
    model = models.get(request.source, request.device, request.precision)
    settings = {**request.plan_settings, "torch_threads": model_threads(model), **settings}
    return plan_prediction(wish.run.stack, model, **settings)


@pytest.mark.parametrize("normalization", ["time_point", "series", "none"])
def test_it_is_the_plan_of_everything_with_the_statistics_seen_so_far(normalization: str) -> None:
    models = ModelCache()
    plans = PreviewPlans(models)
    wish = wish_of(
        noisy((5, 3, 40, 50)), {"T": 3, "Z": 1}, normalization=normalization, axes="TZYX"
    )
    whole = of_everything(wish, models)
    seen = []
    for t in (3, 0, 3, 4):
        seen.append(t)
        planned = plans.get(seen_at(wish, T=t, Z=1, Y=slice(0, 9)), lambda: True)
        assert planned is not None
        assert planned.plan.region.is_full
        if normalization == "time_point":
            assert planned.plan.normalization.samples == tuple(sorted(set(seen)))
    for t in range(5):
        planned = plans.get(seen_at(wish, T=t), lambda: True)
    assert planned is not None
    assert planned.plan.fingerprint == whole.fingerprint
    assert planned.plan.settings == whole.settings


def test_hot_pixels_and_the_camera_are_those_of_everything() -> None:
    models = ModelCache()
    plans = PreviewPlans(models)
    image = noisy((4, 40, 50))
    image[1:, 7, 9], image[3] = 9000, 3 * image[3]
    wish = wish_of(
        image,
        {"T": 3},
        normalization="time_point",
        axes="TYX",
        hot_pixels="replace",
        camera_offset=20.0,
        camera_gain=0.5,
    )
    for t in (3, 0, 1, 2):
        planned = plans.get(seen_at(wish, T=t, Y=slice(20, 30)), lambda: True)
    assert planned is not None
    whole = of_everything(wish, models)
    assert planned.plan.fingerprint == whole.fingerprint
    kept = of_everything(wish, models, hot_pixels="keep")
    assert kept.normalization != whole.normalization


def test_all_time_points_on_display_are_measured() -> None:
    wish = wish_of(
        noisy((5, 2, 40, 50)), {"Z": 1, "T": slice(1, 4)}, normalization="time_point", axes="TZYX"
    )
    planned = PreviewPlans(ModelCache()).get(wish, lambda: True)
    assert planned is not None
    assert planned.plan.normalization.samples == (1, 2, 3)


def test_measuring_ends_when_something_else_is_wanted_and_keeps_what_it_has() -> None:
    plans = PreviewPlans(ModelCache())
    wish = wish_of(noisy((6, 40, 50)), {"T": 0}, normalization="time_point", axes="TYX")
    assert plans.get(wish, lambda: True) is not None
    asked = iter([True, True, False])
    assert plans.get(seen_at(wish), lambda: next(asked)) is None
    (kept,) = plans.kept
    assert kept.plan.normalization.samples == (0, 1, 2)


def test_channels_are_chosen_for_all_the_image() -> None:
    models = ModelCache()
    wish = wish_of(
        noisy((3, 40, 50)), {"C": 2}, axes="CYX", channel_models=((0, Blur()), (2, Blur()))
    )
    planned = PreviewPlans(models).get(wish, lambda: True)
    assert planned is not None
    assert planned.plan.fingerprint == of_everything(wish, models).fingerprint
    assert list(planned.plan.region.along("C")) == [0, 2]


def test_a_batch_is_that_of_everything_though_one_time_point_has_fewer_tiles() -> None:
    models = ModelCache()
    wish = wish_of(noisy((5, 40, 50)), {"T": 1}, axes="TYX", batch_size=4)
    planned = PreviewPlans(models).get(wish, lambda: True)
    assert planned is not None
    assert planned.plan.settings == of_everything(wish, models).settings


def test_the_batch_of_an_accelerator_is_that_of_everything_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_mps: Any = SimpleNamespace(
        device=torch.device("mps"),
        replicas=(SimpleNamespace(device=torch.device("mps")),),
        memory_per_pixel=1000.0,
        work_per_pixel=1e8,
        in_channels=1,
        geometry=SimpleNamespace(out_channels=1),
    )
    patches = []

    def resolved(wanted: str | int, model: Any, patch_size: tuple[int, ...]) -> int:
        patches.append(patch_size)
        return resolve_batch_size(wanted, on_mps, patch_size)

    for module in ("prediction.planning", "widgets.preview.plans"):
        monkeypatch.setattr(f"napari_tessera.{module}.resolve_batch_size", resolved)
    models = ModelCache()
    wish = wish_of(noisy((5, 40, 50)), {"T": 1}, axes="TYX")
    planned = PreviewPlans(models).get(wish, lambda: True)
    assert planned is not None
    # 0.2 s for one tile, of which there are 5
    assert planned.plan.settings.batch_size == 1
    on_mps.work_per_pixel = 4e7
    planned = PreviewPlans(ModelCache()).get(wish, lambda: True)
    assert planned is not None
    assert planned.plan.settings.batch_size == 2
    assert planned.plan.settings == of_everything(wish, models).settings
    assert set(patches) - {()} == {planned.plan.patch_size}


def test_going_back_to_earlier_settings_plans_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = PreviewPlans(ModelCache())
    model = Blur()
    image = noisy((40, 50))
    viewer = ViewerModel()
    layer = viewer.add_image(image)

    def wish(tile: int) -> LayerWish:
        request = RunRequest((layer,), model, area=EVERYTHING, patch_size=(tile, tile))
        return LayerWish(LayerRun.of(viewer, request, layer), "image", {}, {})

    first = plans.get(wish(16), lambda: True)
    assert plans.get(wish(32), lambda: True) is not first
    monkeypatch.setattr(LayerRun, "make_plan", None)
    assert plans.get(wish(16), lambda: True) is first
    plans.forget("other")
    assert len(plans.kept) == 2
    plans.forget("image")
    assert plans.kept == ()


def test_what_does_not_suit_the_image_is_said() -> None:
    wish = wish_of(noisy((40, 50)), {}, Blur(3))
    with pytest.raises(PlanError, match="is 3D"):
        PreviewPlans(ModelCache()).get(wish, lambda: True)


def test_a_long_series_is_not_measured_up_front() -> None:
    class Counted:
        """Time points of which it is known which were read."""

        shape, dtype, ndim = (1000, 64, 64), np.dtype(np.uint16), 3

        def __init__(self) -> None:
            self.read: set[int] = set()

        def __getitem__(self, part: Any) -> Any:
            t = part[0] if isinstance(part, tuple) else part
            at = range(1000)[t]
            self.read.update([at] if isinstance(at, int) else at)
            return np.broadcast_to(np.arange(64, dtype=np.uint16), self.shape)[part]

    image = Counted()
    wish = wish_of(image, {"T": 500}, axes="TYX", normalization="time_point")
    planned = PreviewPlans(ModelCache()).get(wish, lambda: True)
    assert planned is not None
    assert 500 in image.read
    # The rest is what an image is known again by.
    assert len(image.read) <= 16
