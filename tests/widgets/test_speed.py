"""Estimates of everything, from tiles that were measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.models import load_model
from napari_tessera.widgets.request import EVERYTHING, SLICE, VIEW
from napari_tessera.widgets.speed import SpeedBook, estimate_text


def test_nothing_is_known_before_a_tile_was_measured() -> None:
    model = load_model(Blur(), device="cpu")
    plan = make_plan(noisy((64, 64)), "YX")
    book = SpeedBook()
    assert book.seconds_per_tile(plan, model) is None
    book.note(plan, model, 0, 5.0)
    assert book.seconds_per_tile(plan, model) is None
    book.note(plan, model, 10, 5.0)
    assert book.seconds_per_tile(plan, model) == pytest.approx(0.5)


def test_each_model_and_tile_size_has_its_own_speed() -> None:
    model, other = load_model(Blur(), device="cpu"), load_model(Blur(3), device="cpu")
    plan = make_plan(noisy((64, 64)), "YX")
    book = SpeedBook()
    book.note(plan, model, 10, 5.0)
    assert book.seconds_per_tile(plan, other) is None
    assert book.seconds_per_tile(make_plan(noisy((64, 64)), "YX", patch_size=32), model) is None
    preview = make_plan(noisy((5, 64, 64)), "ZYX", patch_size=plan.patch_size, region={"Z": 2})
    assert book.seconds_per_tile(preview, model) == pytest.approx(0.5)


def test_averaging_over_flips_takes_eight_times_as_long() -> None:
    model = load_model(Blur(), device="cpu")
    plan, averaged = (make_plan(noisy((64, 64)), "YX", tta=tta) for tta in ("none", "mean"))
    book = SpeedBook()
    book.note(plan, model, 10, 5.0)
    assert book.seconds_per_tile(averaged, model) == pytest.approx(4.0)
    book.note(averaged, model, 10, 16.0)
    assert book.seconds_per_tile(plan, model) == pytest.approx(0.2)


def test_what_joining_takes_is_as_by_cores_until_it_was_measured() -> None:
    model = load_model(Blur(), device="cpu")
    plan = make_plan(noisy((100, 100)), "YX", patch_size=64)
    faded = make_plan(noisy((100, 100)), "YX", patch_size=64, blending="linear")
    book = SpeedBook()
    book.note(plan, model, 10, 5.0)
    assert book.seconds_per_tile(faded, model) == pytest.approx(0.5)
    book.note(faded, model, 10, 9.0)
    assert book.seconds_per_tile(faded, model) == pytest.approx(0.9)
    assert book.seconds_per_tile(plan, model) == pytest.approx(0.5)


def test_the_line_tells_everything_whatever_the_area_is() -> None:
    image = np.zeros((40, 1000, 1000), np.uint16)
    plan = make_plan(image, "ZYX", patch_size=(100, 100), overlaps=(0, 0), region={"Z": 3})
    assert estimate_text([(plan, None)]) == "Everything: 4,000 tiles 160 MB"
    assert estimate_text([(plan, 0.1)]) == "Everything: 4,000 tiles ~7 min 160 MB"


def test_several_layers_are_added_up() -> None:
    plan = make_plan(np.zeros((500, 500), np.uint16), "YX", patch_size=(100, 100), overlaps=0)
    assert estimate_text([(plan, 1.0), (plan, 2.0)]) == "Everything: 50 tiles ~1 min 2.0 MB"
    assert estimate_text([(plan, 1.0), (plan, None)]) == "Everything: 50 tiles 2.0 MB"
    assert estimate_text([]) == ""


def test_what_the_area_takes_stands_above_everything() -> None:
    plan = make_plan(np.zeros((4, 100, 100), np.float32), "ZYX", patch_size=64, overlaps=8)
    part = replace(plan, region_selection={"Z": [1]})
    everything = estimate_text([(plan, 0.5)])
    assert everything == "Everything: 16 tiles ~8 s 160 kB"
    assert estimate_text([(part, 0.5)], SLICE) == f"This slice: 4 tiles ~2 s 40 kB\n{everything}"
    for area in (VIEW, EVERYTHING):
        assert estimate_text([(part, 0.5)], area) == everything


def test_everything_is_of_the_channels_that_are_chosen() -> None:
    image = np.zeros((3, 100, 100), np.float32)
    plan = make_plan(image, "CYX", patch_size=64, overlaps=8, region={"C": [1], "Y": 5})
    assert estimate_text([(plan, None)]) == "Everything: 12 tiles 120 kB"
    assert estimate_text([(plan, None)], VIEW, (1,)) == "Everything: 4 tiles 40 kB"
    assert estimate_text([(plan, None)], VIEW, (0, 2)) == "Everything: 8 tiles 80 kB"
    plane = make_plan(image, "ZYX", patch_size=64, overlaps=8)
    assert estimate_text([(plane, None)], VIEW, (1,)) == estimate_text([(plane, None)])


def test_one_tile_is_one_tile() -> None:
    plan = make_plan(noisy((64, 64)), "YX", patch_size=(64, 64))
    assert estimate_text([(plan, None)]) == "Everything: 1 tile 16 kB"
