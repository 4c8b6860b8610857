"""A mask whose file does not name its axes is taken as what it was drawn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks import ArrayStack
from napari_tessera.training import TrainingError, TrainingSettings, plan_training
from napari_tessera.training.data.mask_axes import axes_like

SMALL = TrainingSettings(depth=1, features=4, patch_size=(8, 8))


def stack(axes: str, *shape: int) -> ArrayStack:
    return ArrayStack(np.ones(shape, np.uint8), axes)


@pytest.mark.parametrize(
    ("mask", "image", "axes"),
    [
        (("ZYX", 5, 16, 24), ("TYX", 5, 16, 24), "TYX"),
        (("ZYX", 5, 16, 24), ("CYX", 5, 16, 24), "CYX"),
        (("ZYX", 5, 16, 24), ("TCYX", 5, 2, 16, 24), "TYX"),
        (("TZYX", 2, 5, 16, 24), ("SZYX", 2, 5, 16, 24), "SZYX"),
        # it says what it is
        (("ZYX", 5, 16, 24), ("ZYX", 5, 16, 24), None),
        (("YX", 16, 24), ("TYX", 5, 16, 24), None),
        (("CYX", 3, 16, 24), ("YX", 16, 24), None),
        # of something else
        (("ZYX", 4, 16, 24), ("TYX", 5, 16, 24), None),
        (("ZYX", 5, 24, 16), ("TYX", 5, 16, 24), None),
    ],
)
def test_axes(
    mask: tuple[str, *tuple[int, ...]], image: tuple[str, *tuple[int, ...]], axes: str | None
) -> None:
    assert axes_like(stack(*mask), stack(*image)) == axes


def test_a_file_of_time_points_marks_each_of_them(tmp_path: Path) -> None:
    image = np.random.default_rng(0).poisson(60, (10, 32, 40)).astype(np.uint16)
    mask = np.zeros((10, 32, 40), np.uint8)
    mask[:, :, :16] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    source = ArrayStack(image, "TYX")
    with plan_training(source, SMALL, mask=tmp_path / "mask.tif") as plan:
        assert "40 % of the image is marked" in plan.summary
    tifffile.imwrite(tmp_path / "other.tif", mask[:7])
    with pytest.raises(TrainingError, match="size 7 along Z and the image no such axis"):
        plan_training(source, SMALL, mask=tmp_path / "other.tif")
