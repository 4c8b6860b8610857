"""A 3D model on a movie: its time points are the planes of a volume, when asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_tessera import load_model, open_stack, predict
from napari_tessera.prediction import PlanError


@pytest.fixture
def movie() -> np.ndarray:
    return np.random.default_rng(1).normal(100, 20, (12, 40, 44)).astype(np.float32)


@pytest.fixture
def blur() -> torch.nn.Module:
    """A 3D model that would give something else if it saw one plane at a time."""
    conv = torch.nn.Conv3d(1, 1, 3, padding=1, bias=False)
    torch.nn.init.constant_(conv.weight, 1 / 27)
    return conv.eval()


def test_the_message_says_how(movie: np.ndarray, blur: torch.nn.Module) -> None:
    with pytest.raises(PlanError, match=r'has no Z: .*, or take time as depth: axes="SZCYX"$'):
        predict(open_stack(movie[None, :, None], "STCYX"), blur)
    with pytest.raises(PlanError, match=r"or name the depth axis Z$"):
        predict(open_stack(movie, "SYX"), blur)


def test_equals_the_same_pixels_as_a_volume(
    movie: np.ndarray, blur: torch.nn.Module, tmp_path: Path
) -> None:
    model = load_model(blur)
    expected = predict(open_stack(movie, "ZYX"), model, patch_size=(8, 16, 16))
    tifffile.imwrite(tmp_path / "movie.tif", movie, imagej=True, metadata={"axes": "TYX"})
    stacks = (
        open_stack(open_stack(movie, "TYX"), "ZYX"),
        open_stack(tmp_path / "movie.tif", "ZYX"),
    )
    for stack in stacks:
        found = predict(stack, model, patch_size=(8, 16, 16))
        np.testing.assert_array_equal(found, expected)
    plane_by_plane = predict(open_stack(movie[:1], "ZYX"), model, patch_size=(8, 16, 16))
    assert not np.array_equal(expected[:1], plane_by_plane)
    stacks[1].close()  # type: ignore[attr-defined]
