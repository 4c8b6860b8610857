"""Settings say what is wrong with them, and decide what was left open."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.training import METHODS, TrainingError, TrainingSettings


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"method": "n3v"}, "method 'n3v' is none of n2v, n2v2, supervised"),
        ({"spatial_dims": 4}, "spatial dims 4 is none of 2, 3"),
        ({"augment": 1}, "augment 1 is none of True, False"),
        ({"steps": 0}, "steps 0 is outside 1…10,000,000"),
        ({"steps": 3.5}, "steps 3.5 is no whole number"),
        ({"steps": True}, "steps True is no whole number"),
        ({"steps": None}, "steps None is no whole number"),
        ({"learning_rate": float("nan")}, "learning rate nan is outside 1e-08…1"),
        ({"learning_rate": "fast"}, "learning rate 'fast' is no number"),
        ({"masked_percent": 80}, "masked percent 80 is outside 0.01…50"),
        ({"ema": 1.0}, "ema 1.0 is outside 0…0.99999"),
        ({"mask_window": 4}, "mask window 4 is even and has no middle; use 5"),
        ({"struct_axis": "x", "struct_span": 6}, "struct span 6 is even and has no middle; use 7"),
        (
            {"method": "supervised", "masked_percent": 9},
            "masked percent 9 is of no use to method 'supervised', which hides no pixels",
        ),
        ({"method": "supervised", "mask_window": 5}, "mask window 5 is of no use to method 'sup"),
        ({"method": "supervised", "struct_axis": "x"}, "struct axis x is of no use to method"),
        ({"method": "supervised", "struct_span": 7}, "struct span 7 is of no use to method"),
        ({"struct_span": 7}, "struct span 7 has no axis; use struct axis 'x' or 'y' too"),
        ({"loss": "l1"}, "loss 'l1' cannot be used with n2v"),
        ({"schedule": "plateau", "validation_percent": 0}, "schedule 'plateau' looks at valid"),
        ({"patience": 3, "validation_percent": 0}, "patience 3 looks at validation"),
        ({"patch_size": 64}, "patch size 64 is no row of whole numbers"),
        ({"patch_size": "64"}, "patch size '64' is no row of whole numbers"),
        ({"patch_size": (64,)}, "has 1 numbers and training is in 2D; give 2"),
        (
            {"patch_size": (64, 62)},
            "patch size 62 is no multiple of 4, which depth 2 needs; use 64",
        ),
        ({"patch_size": (64, 0)}, "patch size 0 is outside 4…4,096"),
        ({"patch_size": (64.0, 64)}, "patch size 64.0 is no whole number"),
        ({"patch_size": np.array([64.0, 64.0])}, "patch size np.float64(64.0) is no whole number"),
        ({"augment": np.True_}, "augment np.True_ is none of True, False"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError) as caught:
        TrainingSettings(**changed)
    assert words in str(caught.value)
    assert caught.value.field in changed
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_settings_survive_json(method: str, spatial_dims: int) -> None:
    settings = TrainingSettings(method=method, spatial_dims=spatial_dims, patience=4)
    for one in (settings, settings.resolved((1, 2, 40, 300, 300)[5 - spatial_dims - 2 :])):
        assert TrainingSettings.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_numbers_of_numpy_are_taken() -> None:
    given = {
        "steps": np.int64(9),
        "seed": np.uint8(3),
        "patch_size": np.array([32, 48]),
        "learning_rate": np.float32(0.25),
        "validation_percent": np.int16(0),
    }
    settings = TrainingSettings(**given)  # type: ignore[arg-type]
    assert settings == TrainingSettings(
        steps=9, seed=3, patch_size=(32, 48), learning_rate=0.25, validation_percent=0
    )
    assert TrainingSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_json_of_others_is_checked() -> None:
    assert TrainingSettings.from_json({"steps": 7}) == TrainingSettings(steps=7)
    with pytest.raises(TrainingError, match="there is no training setting 'epochs'"):
        TrainingSettings.from_json({"epochs": 7})


@pytest.mark.parametrize(
    ("dims", "space", "patch", "batch"),
    [
        (2, (512, 512), (64, 64), 16),
        (2, (100, 400), (48, 48), 16),
        (2, (9, 9), (4, 4), 16),
        (3, (40, 300, 300), (16, 64, 64), 4),
        (3, (14, 300, 300), (12, 64, 64), 4),
        (3, (4, 50, 300), (4, 24, 24), 4),
    ],
)
def test_what_was_left_open_is_decided(
    dims: int, space: tuple[int, ...], patch: tuple[int, ...], batch: int
) -> None:
    settings = TrainingSettings(spatial_dims=dims).resolved((1, 1, *space))
    assert (settings.patch_size, settings.batch_size, settings.loss) == (patch, batch, "l2")


def test_what_was_said_stays() -> None:
    settings = TrainingSettings(
        method="supervised", patch_size=(32, 96), batch_size=3, loss="l1"
    ).resolved((1, 1, 512, 512))
    assert (settings.patch_size, settings.batch_size, settings.loss) == ((32, 96), 3, "l1")


@given(
    depth=st.integers(1, 4),
    space=st.lists(st.integers(1, 300), min_size=2, max_size=3),
    percent=st.sampled_from([0.0, 10.0]),
)
def test_patches_fit_image_and_network(depth: int, space: list[int], percent: float) -> None:
    settings = TrainingSettings(spatial_dims=len(space), depth=depth, validation_percent=percent)
    shape = (1, 1, *space)
    if min(space) < settings.period:
        with pytest.raises(TrainingError, match=f"needs {settings.period} along each axis"):
            settings.resolved(shape)
        return
    patch = settings.resolved(shape).patch_size
    assert patch is not None
    for at, (one, size) in enumerate(zip(patch, space, strict=True)):
        assert settings.period <= one <= size
        assert one % settings.period == 0
        # two of them lie side by side where there is room for two
        if percent and at >= len(space) - 2 and size >= 2 * settings.period:
            assert 2 * one <= size
