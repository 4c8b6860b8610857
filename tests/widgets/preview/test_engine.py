"""Denoising what is looked at, tile by tile, until something else is looked at."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from tests.widgets.conftest import Blur, blurred, noisy

from napari_tessera.models import Model, ModelError
from napari_tessera.widgets.layer_run import LayerRun
from napari_tessera.widgets.model_cache import ModelCache
from napari_tessera.widgets.preview.engine import PreviewEngine
from napari_tessera.widgets.preview.plans import LayerWish
from napari_tessera.widgets.preview.tile_cache import TileCache
from napari_tessera.widgets.request import EVERYTHING, RunRequest
from napari_tessera.widgets.speed import SpeedBook

WAIT = 30


class Counting(Blur):
    """A blur that counts its calls on images, and can be held at one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.hold_at = -1
        self.held, self.go_on = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Counting:
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if threading.current_thread().name == "at-work":
            self.calls += 1
            if self.error is not None:
                raise self.error
            if self.calls == self.hold_at:
                self.held.set()
                assert self.go_on.wait(WAIT)
        return super().forward(x)


class Setting:
    """An engine and an image to look at."""

    def __init__(self, image: Any = None, budget: int = 2**30, **settings: Any) -> None:
        self.image = noisy((200, 260)) if image is None else image
        self.viewer = ViewerModel()
        self.layer = self.viewer.add_image(self.image)
        self.model = Counting()
        self.cache = TileCache(budget)
        self.engine = PreviewEngine(self.cache, ModelCache(), SpeedBook())
        self.settings = {"patch_size": (64, 64), "device": "cpu", **settings}
        self.request = RunRequest((self.layer,), self.model, area=EVERYTHING, **self.settings)
        self.run = LayerRun.of(self.viewer, self.request, self.layer)
        # What planning tries the model with is none of what is counted.
        self.engine.plans.get(*self.wish(), lambda: True)

    def wish(self, y: float = 0, x: float = 0, **selection: Any) -> list[LayerWish]:
        """Look somewhere."""
        return [LayerWish(self.run, "image", selection, {"Y": y, "X": x})]

    def serve(self, wish: list[LayerWish]) -> None:
        """Look somewhere, and wait until all is done."""
        assert self.engine.want(wish)
        self.work().join()

    def work(self) -> threading.Thread:
        """Let the engine work."""
        thread = threading.Thread(target=self.engine.work, name="at-work")
        thread.start()
        return thread


def test_the_nearest_comes_first_and_nothing_else_comes() -> None:
    here = Setting()
    here.serve(here.wish(90, 90, Y=slice(0, 100), X=slice(30, 130)))
    report = here.engine.report()
    ((_, planned),) = report.planned
    tiles = planned.plan.tiles
    wanted = set(tiles.meeting({"Y": slice(0, 100), "X": slice(30, 130)}))
    came = [number for _, number in report.finished]
    assert set(came) == wanted
    assert len(came) == len(wanted) == here.model.calls
    away = []
    for number in came:
        y, x = (np.mean([part.start, part.stop - 1]) for part in tiles.block(number))
        away.append((y - 90) ** 2 + (x - 90) ** 2)
    assert away == sorted(away)
    assert (report.in_view, report.kept, report.waiting) == (len(wanted), len(wanted), 0)
    assert here.engine.report().finished == ()
    assert not here.engine.working


def test_what_is_there_is_not_predicted_again_and_has_the_pixels_of_a_run() -> None:
    here = Setting()
    here.serve(here.wish())
    calls = here.model.calls
    here.serve(here.wish(50, 50, Y=slice(0, 64)))
    assert here.model.calls == calls
    ((_, planned),) = here.engine.report().planned
    whole = blurred(here.image, "YX")
    for number, region in here.cache.tiles(planned.name).items():
        assert np.array_equal(region.data[0], whole[planned.plan.tiles.block(number)])
    assert len(here.cache) == planned.plan.total_tiles == calls


def test_the_time_of_tiles_is_noted_once_more_than_one_has_come() -> None:
    here = Setting()
    speed = here.engine.speed
    here.serve(here.wish(0, 0, Y=slice(0, 1), X=slice(0, 1)))
    ((_, planned),) = here.engine.report().planned
    assert here.model.calls == 1
    assert speed.seconds_per_tile(planned.plan, planned.model) is None
    here.serve(here.wish())
    seconds = speed.seconds_per_tile(planned.plan, planned.model)
    assert seconds is not None
    assert 0 < seconds < WAIT


def test_another_wish_replaces_the_one_at_hand_between_two_tiles() -> None:
    here = Setting()
    here.model.hold_at = 2
    assert here.engine.want(here.wish(0, 0))
    thread = here.work()
    assert here.model.held.wait(WAIT)
    assert not here.engine.want(here.wish(199, 259, Y=slice(190, 200), X=slice(250, 260)))
    here.model.go_on.set()
    thread.join(WAIT)
    last = here.engine.plans.kept[0].plan.total_tiles - 1
    came = [number for _, number in here.engine.report().finished]
    # What was at the model is kept.
    assert came == [0, came[1], last]
    assert here.model.calls == 3


def test_it_stops_after_the_tile_at_work() -> None:
    here = Setting()
    here.model.hold_at = 1
    assert here.engine.want(here.wish())
    thread = here.work()
    assert here.model.held.wait(WAIT)
    here.engine.stop()
    here.model.go_on.set()
    thread.join(WAIT)
    assert here.model.calls == 1
    assert not here.engine.working


def test_no_more_is_denoised_than_there_is_memory_for() -> None:
    here = Setting(budget=100_000)
    here.serve(here.wish(100, 130))
    report = here.engine.report()
    assert report.kept < report.in_view
    assert report.kept == here.model.calls == len(here.cache)
    assert here.cache.used <= here.cache.budget


def test_flying_through_stays_within_the_memory() -> None:
    here = Setting(noisy((12, 100, 130)), budget=500_000, axes="ZYX")
    for z in range(12):
        here.serve(here.wish(50, 60, Z=z))
        assert here.cache.used <= here.cache.budget
        report = here.engine.report()
        assert report.kept == report.in_view
        assert report.waiting == 0


def test_readings_are_those_of_the_settings() -> None:
    here = Setting()
    assert here.engine.readings("nothing") is None
    here.serve(here.wish())
    ((_, planned),) = here.engine.report().planned
    readings = here.engine.readings(planned.name)
    assert readings is not None
    assert readings.tiles == planned.plan.total_tiles
    assert readings.intensity_kept == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "make tiles or batch smaller"),
        (MemoryError(), "make tiles or batch smaller"),
        (OSError(5, "Input/output error", "a.tif"), "Input/output error: a.tif"),
        (ModelError("the model is broken"), "the model is broken"),
    ],
)
def test_an_error_is_told_in_one_line_and_the_next_wish_tries_again(
    error: Exception, said: str
) -> None:
    here = Setting()
    here.serve(here.wish(Y=slice(0, 10)))
    here.model.error = error
    here.serve(here.wish())
    report = here.engine.report()
    assert said in report.problem
    assert "\n" not in report.problem
    here.model.error = None
    here.serve(here.wish())
    assert here.engine.report().problem == ""


def test_a_model_that_cannot_be_loaded_is_told() -> None:
    here = Setting()
    request = RunRequest((here.layer,), "nowhere.pt", area=EVERYTHING)
    here.run = LayerRun.of(here.viewer, request, here.layer)
    here.serve(here.wish())
    assert "nowhere.pt" in here.engine.report().problem


def test_several_images_one_after_the_other() -> None:
    here, there = Setting(), Setting(noisy((100, 100), 1))
    there.engine, there.cache = here.engine, here.cache
    second = LayerWish(there.run, "other", {}, {})
    here.serve([*here.wish(), second])
    report = here.engine.report()
    first, other = (planned for _, planned in report.planned)
    assert first.name.startswith("image:")
    assert other.name.startswith("other:")
    assert len(here.cache.tiles(first.name)) == first.plan.total_tiles
    assert len(here.cache.tiles(other.name)) == other.plan.total_tiles


def test_tiles_are_numbered_in_the_grid_of_all_channels() -> None:
    image = noisy((3, 60, 70))
    viewer = ViewerModel()
    layer = viewer.add_image(image)
    model = Counting()
    request = RunRequest(
        (layer,), channel_models=((2, model),), axes="CYX", area=EVERYTHING, patch_size=(32, 32)
    )
    run = LayerRun.of(viewer, request, layer)
    engine = PreviewEngine(TileCache(2**30), ModelCache(), SpeedBook())
    assert engine.want([LayerWish(run, "image", {"C": 2}, {})])
    engine.work()
    report = engine.report()
    ((_, planned),) = report.planned
    n = planned.plan.tiles.tiles_per_sample
    assert sorted(number for _, number in report.finished) == list(range(2 * n, 3 * n))


@pytest.mark.parametrize("at_work", [True, False])
def test_a_preview_that_is_off_gives_the_memory_of_a_gpu_back(
    at_work: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[Model] = []
    monkeypatch.setattr(Model, "release", lambda model: given_back.append(model))
    view = Setting()
    wish = view.wish()
    view.serve(wish)
    assert not given_back
    if at_work:
        assert view.engine.want(wish)
    view.engine.stop()
    if at_work:
        assert not given_back
        view.engine.work()
    assert len(given_back) == 1


def test_a_model_that_was_left_holds_no_memory_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Setting()
    released = []
    release = Model.release

    def noted(self: Model) -> None:
        released.append(self)
        release(self)

    monkeypatch.setattr(Model, "release", noted)
    here.serve(here.wish())
    ((_, first),) = here.engine.report().planned
    here.serve(here.wish(50, 50, Y=slice(0, 64)))
    assert released == []
    request = RunRequest((here.layer,), Counting(), area=EVERYTHING, **here.settings)
    other = LayerRun.of(here.viewer, request, here.layer)
    here.serve([LayerWish(other, "image", {}, {"Y": 0, "X": 0})])
    assert released == [first.model]
    here.engine.stop()
    ((_, second),) = here.engine.report().planned
    assert released == [first.model, second.model]
