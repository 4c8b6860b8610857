"""Images with little room: what is said helps."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data.training_data import TrainingData
from napari_tessera.training.errors import TrainingError
from napari_tessera.training.settings import TrainingSettings

from .kinds import noise, prepared


@pytest.mark.parametrize(
    ("shape", "axes", "given", "patch"),
    [
        # whole planes, time points or volumes are held out
        ((100, 64, 64), "ZYX", {}, (64, 64)),
        ((100, 100, 100), "ZYX", {}, (64, 64)),
        ((20, 70, 64), "TYX", {}, (64, 64)),
        ((12, 8, 60, 60), "TZYX", {"spatial_dims": 3}, (8, 60, 60)),
        # a box is
        ((4, 64, 64), "ZYX", {}, (32, 32)),
        ((100, 100), "YX", {}, (48, 48)),
        ((3, 4, 64, 64), "TZYX", {}, (32, 32)),
        ((8, 60, 60), "ZYX", {"spatial_dims": 3}, (8, 28, 28)),
        # nothing is
        ((4, 64, 64), "ZYX", {"validation_percent": 0}, (64, 64)),
    ],
)
def test_patches_are_halved_for_a_box_alone(
    shape: tuple[int, ...], axes: str, given: dict[str, Any], patch: tuple[int, ...]
) -> None:
    data = prepared(noise(shape), axes, **{"depth": 2, **given})
    assert data.settings.patch_size == patch
    assert data.patches >= 1
    assert (data.validation_patches >= 1) == bool(data.held_out)


@pytest.mark.parametrize(
    ("shape", "given", "message"),
    [
        (
            (20, 20),
            {"patch_size": (32, 32)},
            "20 pixels along Y, fewer than one patch of 32 × 32; use a patch of 8 × 8 or less",
        ),
        (
            (20, 20),
            {"patch_size": (20, 20)},
            "20 × 20 pixels: with patches of 20 × 20 nothing is left to train on beside a part for "
            "validation; use a patch of 8 × 8 or less, or validation percent 0",
        ),
        (
            (20, 20),
            {"patch_size": (32, 32), "validation_percent": 0},
            "20 pixels along Y, fewer than one patch of 32 × 32; use a patch of 20 × 20 or less",
        ),
        (
            (7, 7),
            {"patch_size": (8, 8)},
            "use a patch of 4 × 4 and validation percent 0, or a larger image",
        ),
        ((7, 7), {"patch_size": (4, 4)}, "; use a larger image, or validation percent 0"),
        ((7, 7), {}, "; use a larger image, or validation percent 0"),
        ((3, 7), {}, "needs 4 along each axis; use less depth, or train on a larger image"),
        ((1, 7), {}, "needs 4 along each axis; train on a larger image"),
        ((8, 6, 6), {"spatial_dims": 3}, "; use a patch of 4 × 4 × 4 or less, or validation "),
        ((3, 20, 20), {"spatial_dims": 3}, "; use less depth, or train in 2D"),
        ((3, 3, 20), {"spatial_dims": 3}, "; use less depth, or train on a larger image"),
    ],
)
def test_what_is_said(shape: tuple[int, ...], given: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        prepared(noise(shape), "ZYX"[-len(shape) :], **{"depth": 2, **given})


@settings_of_hypothesis(max_examples=150)
@given(
    space=st.lists(st.integers(1, 40), min_size=2, max_size=3),
    planes=st.sampled_from([None, 2, 12]),
    depth=st.integers(1, 3),
    cells=st.none() | st.tuples(*[st.integers(1, 8)] * 3),
    percent=st.sampled_from([0.0, 10.0]),
)
def test_who_does_what_is_said_can_train(
    space: list[int],
    planes: int | None,
    depth: int,
    cells: tuple[int, int, int] | None,
    percent: float,
) -> None:
    dims = len(space)
    image = noise([*([] if planes is None else [planes]), *space])
    stack = ArrayStack(image, ("" if planes is None else "T") + "ZYX"[-dims:])
    patch = None if cells is None else tuple(2**depth * n for n in cells[-dims:])
    values: dict[str, Any] = {
        "spatial_dims": dims,
        "depth": depth,
        "patch_size": patch,
        "validation_percent": percent,
    }
    # each of these may be needed once
    for _ in range(3):
        try:
            data = TrainingData.prepare(stack, TrainingSettings(**values))
        except TrainingError as refused:
            said = str(refused).partition(";")[2]
            if "use less depth" in said:
                values |= {"depth": values["depth"] - 1, "patch_size": None}
                continue
            if "in 2D" in said:
                values |= {"spatial_dims": 2, "patch_size": None}
                continue
            named = re.search(r"a patch of ([\d × ]+)", said)
            if named is not None:
                values["patch_size"] = tuple(map(int, named.group(1).split(" × ")))
            if "and validation percent 0" in said or "image, or validation percent 0" in said:
                values["validation_percent"] = 0.0
            elif named is None:
                assert "larger image" in said
                assert min(space) < 2
                return
            data = TrainingData.prepare(stack, TrainingSettings(**values))
        assert data.patches >= 1
        assert data.training_batch(0, 2).noisy.shape[0] == 2
        assert (data.validation_patches > 0) == (values["validation_percent"] > 0)
        data.close()
        return
    pytest.fail(str(values))
