"""Sample images: what napari is handed, how they are made, and what they show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from napari_tessera.widgets.sample_data import noisy_2d, noisy_3dt
from napari_tessera.widgets.sample_images import Camera, cells, moving_nuclei

Sample = list[tuple[Any, dict[str, Any], str]]


@cache
def sample(make: Callable[[], Sample]) -> Sample:
    return make()


@pytest.mark.parametrize(
    ("make", "axes", "shape"),
    [(noisy_2d, "YX", (1024, 1024)), (noisy_3dt, "TZYX", (5, 12, 256, 256))],
)
class TestLayers:
    def test_clean_lies_hidden_below_noisy(
        self, make: Callable[[], Sample], axes: str, shape: tuple[int, ...]
    ) -> None:
        (clean, clean_look, clean_kind), (noisy, noisy_look, noisy_kind) = sample(make)
        assert clean_kind == noisy_kind == "image"
        assert clean_look["name"].startswith("clean ")
        assert noisy_look["name"].startswith("noisy ")
        assert clean_look["visible"] is False
        assert noisy_look.get("visible", True) is True
        assert clean.shape == noisy.shape == shape
        assert clean.dtype == np.float32
        assert noisy.dtype == np.uint16

    def test_layers_are_calibrated_and_look_alike(
        self, make: Callable[[], Sample], axes: str, shape: tuple[int, ...]
    ) -> None:
        (clean, clean_look, _), (noisy, noisy_look, _) = sample(make)
        for look in (clean_look, noisy_look):
            assert look["axis_labels"] == tuple(axes)
            assert len(look["scale"]) == len(look["units"]) == len(axes)
            assert all(step > 0 for step in look["scale"])
        assert clean_look["contrast_limits"] == noisy_look["contrast_limits"]
        low, high = clean_look["contrast_limits"]
        assert noisy.min() <= low < clean.mean() < high <= clean.max()

    def test_noise_has_the_camera_s_mean_and_variance(
        self, make: Callable[[], Sample], axes: str, shape: tuple[int, ...]
    ) -> None:
        (clean, _, _), (noisy, _, _) = sample(make)
        camera = Camera()
        difference = noisy.astype(np.float64) - clean
        photons = (clean.astype(np.float64) - camera.offset) / camera.gain
        expected = camera.gain**2 * (photons + camera.read_noise**2) + 1 / 12
        assert difference.mean() == pytest.approx(0, abs=0.02)
        assert (difference**2).mean() == pytest.approx(expected.mean(), rel=0.02)

    def test_napari_takes_them(
        self, make: Callable[[], Sample], axes: str, shape: tuple[int, ...]
    ) -> None:
        from napari.components import ViewerModel
        from napari.layers import Layer

        viewer = ViewerModel()
        for layer in sample(make):
            viewer.add_layer(Layer.create(*layer))
        noisy = viewer.layers[-1]
        assert viewer.layers.selection.active is noisy
        assert noisy.axis_labels == tuple(axes)
        assert [str(unit) for unit in noisy.units[-2:]] == ["micrometer", "micrometer"]


def test_the_same_every_time() -> None:
    np.testing.assert_array_equal(cells(256, seed=3), cells(256, seed=3))
    shape = (2, 4, 48, 48)
    np.testing.assert_array_equal(moving_nuclei(shape, seed=3), moving_nuclei(shape, seed=3))
    assert not np.array_equal(cells(256, seed=3), cells(256, seed=4))


def test_what_was_made_once_is_kept_whatever_is_done_to_a_layer() -> None:
    first, again = noisy_2d(), noisy_2d()
    for (pixels, _, _), (others, _, _) in zip(first, again, strict=True):
        pixels[:] = 0
        assert others.min() > 0
    (clean, _, _), (noisy, _, _) = noisy_2d()
    assert clean.min() > 0
    assert noisy.min() > 0


def test_things_move_and_bleach() -> None:
    (clean, _, _), _ = sample(noisy_3dt)
    light = (clean - Camera().offset).mean(axis=(1, 2, 3))
    assert np.all(np.diff(light) < 0)
    first, last = clean[0].ravel(), clean[-1].ravel()
    assert 0.1 < np.corrcoef(first, last)[0, 1] < 0.95


def test_a_camera_saturates_at_its_largest_value() -> None:
    bright = np.full((4, 4), 1e6, np.float32)
    recorded = Camera().record(bright, np.random.default_rng(0))
    assert recorded.dtype == np.uint16
    assert np.all(recorded == 65535)


def test_import_needs_no_napari_and_making_them_no_download() -> None:
    code = (
        "import sys\n"
        "from napari_tessera.widgets import sample_data\n"
        "sample_data.noisy_3dt()\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'napari', 'pooch', 'torch', 'qtpy', 'PyQt6', 'requests'}))\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output.strip() == "[]"
