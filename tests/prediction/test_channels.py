"""Images that do not suit a model: handled, or one clear line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction import PlanError


def picture(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class Deep(nn.Module):
    """Pools volumes three times: refuses fewer than 8 planes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv3d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = x
        for _ in range(3):
            small = nn.functional.max_pool3d(small, 2)
        return self.conv(x) + nn.functional.interpolate(small, scale_factor=8)


@pytest.mark.parametrize("planes", [1, 3, 8, 9])
def test_a_volume_of_fewer_planes_than_the_model_takes_is_reflected(planes: int) -> None:
    model, image = load_model(Deep()), picture((planes, 40, 51))
    with pytest.raises(RuntimeError):
        Deep()(torch.zeros(1, 1, 3, 8, 8))
    out = predict(open_stack(image, "ZYX"), model)
    assert out.shape == image.shape
    padding = [(0, -size % 8) for size in image.shape]
    with torch.no_grad():
        padded = torch.from_numpy(np.pad(image, padding, mode="reflect"))
        whole = Deep()(padded[None, None])[0, 0].numpy()[:planes, :40, :51]
    assert np.abs(out - whole).max() <= 1e-5 * np.ptp(whole)


def test_a_plane_is_no_volume_and_a_volume_is_its_planes() -> None:
    with pytest.raises(PlanError, match=r"is 3D \(ZYX\), the image YX has no Z: use a 2D") as told:
        plan_prediction(open_stack(picture((40, 50)), "YX"), Deep())
    assert told.value.field == "model"
    with pytest.raises(PlanError, match=r'take time as depth: axes="ZYX"'):
        plan_prediction(open_stack(picture((9, 40, 50)), "TYX"), Deep())
    net, volume = nn.Conv2d(1, 1, 3, padding=1), picture((3, 40, 50))
    planes = predict(open_stack(volume, "ZYX"), net)
    one = predict(open_stack(volume[1], "YX"), net)
    assert np.array_equal(planes[1], one)


@pytest.mark.parametrize(
    ("given", "made", "axes", "shape", "message"),
    [
        (2, 1, "YX", (40, 50), "takes 2 channels and gets 1: choose 2 channels, or"),
        (2, 1, "CYX", (3, 40, 50), "takes 2 channels and gets 3: choose 2 channels, or"),
        (3, 3, "ZYX", (3, 40, 50), "takes 3 channels and gets 1: choose 3 channels, or"),
        (1, 2, "CYX", (2, 40, 50), "makes 2 channels of one, the image has 2: open the image"),
    ],
)
def test_wrong_numbers_of_channels(
    given: int, made: int, axes: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(PlanError) as told:
        plan_prediction(open_stack(picture(shape), axes), nn.Conv2d(given, made, 3, padding=1))
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert told.value.field == "model"


def test_other_numbers_of_channels_come_out_where_they_can() -> None:
    split = nn.Conv2d(1, 3, 3, padding=1)
    assert predict(open_stack(picture((40, 50)), "YX"), split).shape == (3, 40, 50)
    assert predict(open_stack(picture((1, 40, 50)), "CYX"), split).shape == (3, 40, 50)
    join = nn.Conv2d(3, 1, 3, padding=1)
    assert predict(open_stack(picture((3, 40, 50)), "CYX"), join).shape == (1, 40, 50)


@pytest.mark.parametrize(
    ("net", "factor"), [(nn.Upsample(scale_factor=2), "2×2"), (nn.AvgPool2d(2), r"0\.5×0\.5")]
)
def test_a_model_that_changes_the_pixel_size_is_refused_in_one_line(
    net: nn.Module, factor: str
) -> None:
    with pytest.raises(PlanError, match=f"its output has {factor} times the pixels of its") as told:
        plan_prediction(open_stack(picture((64, 64)), "YX"), net)
    assert told.value.field == "model"
    assert "\n" not in str(told.value)
