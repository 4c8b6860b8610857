from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.errors import ModelError
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.probe import RANDOM_NOTE, SHIFT_NOTE, probe_geometry

MakeNet = Callable[..., nn.Module]


def _probe(network: Any, dims: int = 2, channels: int | None = 1) -> ModelGeometry:
    return probe_geometry(network, name="net", spatial_dims=dims, in_channels=channels)


@pytest.mark.parametrize("how", ["eager", "script", "trace", "script+freeze", "trace+freeze"])
def test_depth_2_unet_reaches_26_with_period_4(
    make_unet: MakeNet, export: Callable[..., nn.Module], how: str
) -> None:
    network = make_unet()
    program = network if how == "eager" else export(network, how)
    assert _probe(program) == ModelGeometry((26, 26), (4, 4), 1)


def test_every_axis_is_measured_by_itself(make_unet: MakeNet) -> None:
    network = make_unet(spatial_dims=3, pool=(1, 2, 2))
    assert _probe(network, dims=3) == ModelGeometry((10, 26, 26), (1, 4, 4), 1)


@pytest.mark.parametrize("kernel", [(3, 1), (1, 3)])
def test_axes_that_differ_only_at_the_edges_of_pooled_cells(kernel: tuple[int, int]) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2)
    network = nn.Sequential(
        nn.Conv2d(1, 1, kernel, padding=padding), nn.MaxPool2d(8), nn.Upsample(scale_factor=8)
    )
    reach = (7 + padding[0], 7 + padding[1])
    assert _probe(network) == ModelGeometry(reach, (8, 8), 1)


def test_an_isotropic_volume_network(make_unet: MakeNet) -> None:
    network = make_unet(spatial_dims=3, channels=2)
    assert _probe(network, dims=3, channels=2) == ModelGeometry((26,) * 3, (4,) * 3, 2)


@st.composite
def _stacks(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, int], tuple[int, int]]:
    """Convolutions, with at most one level of pooling and nearest-neighbour upsampling each way."""
    layers: list[nn.Module] = []
    reach = [0, 0]
    for _ in range(draw(st.integers(1, 3))):
        kernel = draw(st.tuples(*[st.sampled_from((1, 3, 5))] * 2))
        dilation = draw(st.tuples(*[st.integers(1, 3)] * 2))
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
        layers += [nn.Conv2d(1, 1, kernel, padding=padding, dilation=dilation), nn.ReLU()]
        reach = [r + p for r, p in zip(reach, padding, strict=True)]
    family = draw(st.sampled_from([(1, 2, 4, 8), (1, 3, 8), (1, 2, 5), (1, 9)]))
    period = draw(st.tuples(*[st.sampled_from(family)] * 2))
    layers += [nn.MaxPool2d(period), nn.Upsample(scale_factor=period)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            # none of them may go dark behind its rectifier
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.zeros_(layer.bias)
    # A pooled cell answers to all of its pixels, and all of its pixels show it.
    found = tuple(r + k - 1 for r, k in zip(reach, period, strict=True))
    return nn.Sequential(*layers).eval(), found, period


@given(_stacks())
@settings(max_examples=40)
def test_reach_and_period_follow_from_the_layers(
    stack: tuple[nn.Module, tuple[int, int], tuple[int, int]],
) -> None:
    network, reach, period = stack
    geometry = _probe(network)
    assert geometry.period == period
    # The ends of a reach fall on the pooled grid, so what can be seen may be less than the bound.
    for found, bound, k in zip(geometry.reach or (), reach, period, strict=True):
        assert bound - k < found <= bound


@pytest.mark.parametrize("start", [(40, 64), (64, 36)])
def test_a_crop_on_the_period_with_the_reach_around_it_is_exact(
    make_unet: MakeNet, start: tuple[int, int]
) -> None:
    network = make_unet()
    geometry = _probe(network)
    assert geometry.reach is not None
    halo = [-(-r // k) * k for r, k in zip(geometry.reach, geometry.period, strict=True)]
    image = torch.randn(1, 1, 192, 192)

    def seams(shift: int) -> float:
        y, x = (s + shift for s in start)
        tile = image[..., y - halo[0] : y + 64 + halo[0], x - halo[1] : x + 64 + halo[1]]
        with torch.no_grad():
            whole = network(image)[..., y : y + 64, x : x + 64]
            core = network(tile)[..., halo[0] : halo[0] + 64, halo[1] : halo[1] + 64]
        return float((whole - core).abs().max() / whole.std())

    assert seams(0) < 1e-4
    assert seams(1) > 1e-2


@pytest.mark.parametrize(
    ("function", "reach"),
    [
        (lambda x: x, (0, 0)),
        (lambda x: ndimage.gaussian_filter(np.asarray(x), (0, 0, 1, 2)), (4, 8)),
        # a rank filter passes NaN on as it likes
        (lambda x: ndimage.median_filter(np.asarray(x), (1, 1, 5, 7)), (2, 3)),
        (lambda x: torch.nan_to_num(F.avg_pool2d(x, 5, 1, 2)), (2, 2)),
    ],
    ids=["identity", "gaussian", "median", "nan swallowed"],
)
def test_functions(function: Callable[[Tensor], Any], reach: tuple[int, int]) -> None:
    assert _probe(function) == ModelGeometry(reach, (1, 1), 1)


def test_nan_swallowed_on_one_path_only_is_seen_through() -> None:
    def skip_and_pool(x: Tensor) -> Tensor:
        pooled = F.max_pool2d(torch.nan_to_num(x, -9.0), 8)
        return F.avg_pool2d(x, 3, 1, 1) + F.interpolate(pooled, scale_factor=8.0)

    assert _probe(skip_and_pool) == ModelGeometry((7, 7), (8, 8), 1)


def test_a_function_that_refuses_nan_is_probed_with_finite_changes() -> None:
    def strict(x: Tensor) -> Tensor:
        if not torch.isfinite(x).all():
            raise ValueError("not finite")
        return F.avg_pool2d(x, 7, 1, 3)

    assert _probe(strict).reach == (3, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x.mean(),
        lambda x: x - np.nanmedian(np.asarray(x)),
        lambda x: torch.softmax(x.flatten(1), 1).view_as(x),
        torch.zeros_like,
    ],
    ids=["mean", "nanmedian", "softmax", "constant"],
)
def test_what_looks_everywhere_or_cannot_be_seen_has_no_reach(
    function: Callable[[Tensor], Any],
) -> None:
    geometry = _probe(function)
    assert geometry.reach is None
    assert geometry.period == (1, 1)


def test_a_global_network_keeps_its_period(make_unet: MakeNet) -> None:
    geometry = _probe(make_unet(norm=nn.InstanceNorm2d))
    assert (geometry.reach, geometry.period) == (None, (4, 4))
    # 4 pixels are a single one in the deepest level, which has no spread
    assert geometry.sizes.minimum == (8, 8)


@pytest.mark.parametrize(
    ("network", "period"),
    [
        (nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, 4, 1), nn.PixelShuffle(2)), 2),
        (nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 1, 2, 2)), 2),
        (nn.Sequential(nn.MaxPool2d(9), nn.Upsample(scale_factor=9)), 9),
        (nn.Sequential(nn.MaxPool2d(16), nn.Upsample(scale_factor=16)), 16),
    ],
)
def test_period(network: nn.Module, period: int) -> None:
    assert _probe(network.eval()).period == (period, period)


def test_sizes_that_a_network_insists_on_are_its_period() -> None:
    def fussy(x: Tensor) -> Tensor:
        if x.shape[-1] % 32 or x.shape[-2] % 32:
            raise ValueError("sizes must be multiples of 32")
        return x

    assert _probe(fussy) == ModelGeometry((0, 0), (32, 32), 1)


def test_a_network_that_needs_large_tiles_is_probed_on_large_ones() -> None:
    def deep(x: Tensor) -> Tensor:
        if min(x.shape[-2:]) < 128:
            raise ValueError("too small")
        return F.avg_pool2d(x, 3, 1, 1)

    assert _probe(deep).reach == (1, 1)


def test_an_answer_that_depends_on_the_place_is_noted() -> None:
    assert _probe(lambda x: x + torch.arange(x.shape[-1])).notes == (SHIFT_NOTE,)


def test_an_answer_that_changes_each_time_is_noted() -> None:
    geometry = _probe(lambda x: F.dropout(x, 0.5))
    assert geometry.notes == (RANDOM_NOTE,)
    assert geometry.reach == (0, 0)


def test_output_channels_are_counted() -> None:
    assert _probe(nn.Conv2d(3, 5, 3, padding=1), channels=3).out_channels == 5


def test_an_output_size_that_follows_no_rule_is_refused_with_both_sizes() -> None:
    with pytest.raises(ModelError, match=r"net cannot be used: it returns 7×7 pixels for 32×64"):
        _probe(lambda x: x[..., :7, :7])


def test_a_network_that_takes_nothing_is_refused_with_its_own_words() -> None:
    with pytest.raises(ModelError, match=r"to have 3 channels, but got 1 channels") as raised:
        _probe(nn.Conv2d(3, 1, 1))
    assert "\n" not in str(raised.value)


def test_a_spent_budget_makes_it_coarser_and_not_wrong(
    make_unet: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_tessera.models.work.MOST_WORK", 0.0)
    geometry = _probe(make_unet())
    assert geometry.period == (4, 4)
    assert geometry.reach is not None
    assert all(26 <= reach <= 29 for reach in geometry.reach)
    assert _probe(make_unet(norm=nn.InstanceNorm2d)).period == (4, 4)


def test_a_slow_machine_measures_the_same(
    make_unet: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = _probe(make_unet())
    for name in ("thread_time", "process_time", "perf_counter", "monotonic"):
        # an hour between any two looks at it
        hours = itertools.count(step=3600.0)
        monkeypatch.setattr(time, name, hours.__next__)
    assert _probe(make_unet()) == fast
    assert fast.reach == (26, 26)
