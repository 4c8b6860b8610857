"""What tests of masked runs share."""

from __future__ import annotations

import numpy as np
import pytest
from tests.prediction.inside.masks import AXES, SETTINGS, SHAPE, Counting

from napari_tessera import load_model, predict
from napari_tessera.models import Model
from napari_tessera.stacks import ArrayStack


@pytest.fixture(scope="module")
def model() -> Model:
    loaded = load_model(Counting().eval(), device="cpu")
    _ = loaded.geometry
    return loaded


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).poisson(300, SHAPE).astype(np.uint16)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    """A hole in a blob, and one pixel at the far edge of one plane."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    far = np.hypot(y - 70, x - 100)
    mask = np.zeros(SHAPE, bool)
    mask[0] = (far > 40) & (far < 65)
    mask[2, 199, 259] = True
    return mask


@pytest.fixture(scope="module")
def ring() -> np.ndarray:
    """Of the plane, and so wide that a run is far from its end when it is stopped."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    far = np.hypot(y - 100, x - 130)
    return (far > 50) & (far < 95)


@pytest.fixture(scope="module")
def whole(model: Model, pixels: np.ndarray) -> np.ndarray:
    return predict(ArrayStack(pixels, AXES), model, **SETTINGS)
