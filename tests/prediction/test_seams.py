"""The height of seams that is told beforehand, against the seams that come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.prediction import seams
from napari_tessera.prediction.advice import overlap_warnings
from napari_tessera.prediction.seams import KEPT_HEIGHTS, SeamBook, estimate_seam


def estimated(plan, stack, model: Model) -> float | None:
    return estimate_seam(plan, stack, model, model.geometry.reach)


class Glance(nn.Module):
    """Every output pixel depends on the mean and spread of all of the tile."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.InstanceNorm2d(4)
        self.last = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.norm(self.first(x))))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    yy, xx = np.indices((301, 290)) / 50
    noise = np.random.default_rng(0).normal(size=yy.shape)
    return (100 + 20 * np.sin(yy) * np.cos(xx) + (2 + xx) * noise).astype(np.float32)


@pytest.mark.parametrize("blending", ["crop", "linear", "gaussian"])
@pytest.mark.parametrize("overlaps", [0, 24])
def test_the_estimate_is_near_the_largest_difference(
    unet_2d: nn.Module, image: np.ndarray, overlaps: int, blending: str
) -> None:
    stack, model = open_stack(image, "YX"), load_model(unet_2d)
    whole = predict(stack, model, patch_size=304)
    plan = plan_prediction(stack, model, patch_size=96, overlaps=overlaps, blending=blending)
    seam = estimated(plan, stack, model)
    largest = np.abs(predict(stack, model, plan=plan) - whole).max()
    assert largest / 4 < seam < 1.01 * largest
    side = overlaps // 2
    assert plan.warnings == (
        f"overlaps Y {overlaps} and X {overlaps} are {side} px each side, less than the 26 px that "
        f"the model looks around: expect seams of about {float(f'{seam:.2g}'):g} grey levels",
    )


@pytest.mark.parametrize("name", ["pairs/fish_noisy.tif", "pairs/BPAE_B_noisy.tif"])
def test_on_real_images(shared: Path, name: str) -> None:
    stack = open_stack(tifffile.imread(shared / "data" / name), "YX")
    model = load_model("builtin:denoise2d")
    whole = predict(stack, model, patch_size=512)
    plan = plan_prediction(stack, model, patch_size=128, overlaps=8)
    largest = np.abs(predict(stack, model, plan=plan) - whole).max()
    assert largest / 3 < estimated(plan, stack, model) < 1.01 * largest


def test_only_where_tiles_do_not_join(unet_2d: nn.Module, image: np.ndarray) -> None:
    stack, model = open_stack(image, "YX"), load_model(unet_2d)
    for settings in (
        {"patch_size": 96, "overlaps": 52},
        {"patch_size": 304, "overlaps": 0},
        {"patch_size": 96, "overlaps": 0, "region": {"Y": slice(3, 40), "X": slice(100, 140)}},
    ):
        plan = plan_prediction(stack, model, **settings)
        assert estimated(plan, stack, model) is None
    across = plan_prediction(stack, model, patch_size=(304, 96), overlaps=(0, 8))
    assert estimated(across, stack, model) > 0
    assert [w.split(" is ")[0] for w in across.warnings] == ["overlap X 8"]


def test_a_volume_and_a_tile_that_is_short_of_room(unet_3d: nn.Module) -> None:
    """Tiles of 28 px have nowhere all the surroundings that the network looks at."""
    volume = np.random.default_rng(0).normal(size=(8, 90, 60)).astype(np.float32)
    stack, model = open_stack(volume, "ZYX"), load_model(unet_3d)
    plan = plan_prediction(stack, model, patch_size=(8, 28, 60), overlaps=0)
    whole = predict(stack, model, patch_size=(8, 92, 60))
    largest = np.abs(predict(stack, model, plan=plan) - whole).max()
    assert largest / 4 < estimated(plan, stack, model) < 1.5 * largest


def test_a_model_that_looks_at_the_whole_tile(image: np.ndarray) -> None:
    stack, model = open_stack(image, "YX"), load_model(Glance())
    plan = plan_prediction(stack, model, patch_size=160, overlaps=32)
    seam = estimated(plan, stack, model)
    assert plan.warnings[-1] == (
        "the model Glance looks at the whole tile: tiles cannot join exactly, expect seams of "
        f"about {float(f'{seam:.2g}'):g} grey levels; larger tiles make them rarer"
    )
    cropped = predict(stack, model, patch_size=160, overlaps=32, blending="crop")
    boundaries = sorted({plan.tiles.spec(i)["stitch_coords"][0] for i in range(plan.total_tiles)})
    whole = predict(stack, model, patch_size=304)
    steps = np.abs(np.diff(cropped - whole, axis=0))
    assert 0.3 < seam / steps[[b - 1 for b in boundaries[1:]]].max() < 3
    apart = plan_prediction(stack, model, patch_size=100, overlaps=0)
    assert estimated(apart, stack, model) is None
    assert apart.warnings[-1].endswith("expect seams; larger tiles make them rarer")
    one = plan_prediction(stack, model)
    assert one.total_tiles == 1
    assert not one.warnings


def test_the_cost_is_that_of_three_strips(image: np.ndarray) -> None:
    sizes = []

    def net(x: torch.Tensor) -> torch.Tensor:
        sizes.append(x.shape[2:].numel())
        return nn.functional.avg_pool2d(x, 9, stride=1, padding=4)

    stack, model = open_stack(np.tile(image, (5, 5)), "YX"), load_model(net)
    plan = plan_prediction(stack, model, patch_size=256, overlaps=4, tta="mean")
    sizes.clear()
    assert estimated(plan, stack, model) > 0
    assert len(sizes) == 3
    # the reach, 4 px, on both sides of 4 px on both sides of the boundary
    assert max(sizes) <= 256 * 16


@pytest.mark.parametrize(("seam", "text"), [(463.2, "460"), (3.14, "3.1"), (0.0088, "0.0088")])
def test_the_figure_is_short(seam: float, text: str) -> None:
    (warning,) = overlap_warnings("Y", [300], [96], [16], "net", [26], seam)
    assert warning.endswith(f"expect seams of about {text} grey levels")


def test_a_model_that_fails_on_a_tile_has_no_figure(image: np.ndarray) -> None:
    kernel = torch.ones(1, 1, 5, 5) / 25
    fails = [False]

    def short_of_memory(x: torch.Tensor) -> torch.Tensor:
        if fails[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.nn.functional.conv2d(x, kernel, padding=2)

    stack, model = open_stack(image, "YX"), load_model(short_of_memory)
    assert model.geometry.reach == (2, 2)
    settings = {"patch_size": 64, "overlaps": 0}
    assert estimated(plan_prediction(stack, model, **settings), stack, model) > 0
    fails[0] = True
    plan = plan_prediction(stack, model, **settings)
    assert estimate_seam(plan, stack, model, (2, 2)) is None
    assert all("grey levels" not in warning for warning in plan.warnings)
    assert any("overlap" in warning for warning in plan.warnings), plan.warnings


def test_a_height_that_is_known_is_not_measured_again(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, model, book = open_stack(image, "YX"), load_model(Glance()), SeamBook()
    settings = {"patch_size": 64, "overlaps": 16, "seams": book}
    first = plan_prediction(stack, model, **settings)
    asked: list[str] = []

    def counted(plan, *others) -> float | None:
        asked.append(plan.fingerprint)
        return estimate_seam(plan, *others)

    monkeypatch.setattr(seams, "estimate_seam", counted)
    assert plan_prediction(stack, model, **settings).warnings == first.warnings
    assert not asked
    other = plan_prediction(stack, model, **{**settings, "overlaps": 8})
    assert asked == [other.fingerprint]
    # another image, of the same sizes
    plan_prediction(open_stack(image[::-1].copy(), "YX"), model, **settings)
    assert len(asked) == 2
    # what was not measured is tried again
    monkeypatch.setattr(seams, "estimate_seam", lambda *_: asked.append(""))
    for _ in range(2):
        assert book.height(replace(first, overlaps=(4, 4)), stack, model, None) is None
    assert len(asked) == 4
    # the last ones are kept
    monkeypatch.setattr(seams, "estimate_seam", lambda *_: 1.0)
    for i in range(KEPT_HEIGHTS):
        book.height(replace(other, model_sha256=str(i)), stack, model, None)
    monkeypatch.setattr(seams, "estimate_seam", lambda *_: 7.0)
    assert book.height(first, stack, model, None) == 7.0
    assert book.height(replace(other, model_sha256="9"), stack, model, None) == 1.0
