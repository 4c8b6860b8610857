"""Networks of every kind, and programs of every kind, are measured for what they are."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.errors import ModelError
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.probe import probe_geometry
from napari_tessera.models.sizes import ValidSizes

MakeNet = Callable[..., nn.Module]


def _probe(network: Any, dims: int = 2, **settings: Any) -> ModelGeometry:
    return probe_geometry(network, name="net", spatial_dims=dims, in_channels=1, **settings)


def _in_onnx_runtime(network: nn.Module, size: int, fixed: bool) -> Callable[[Tensor], np.ndarray]:
    file = io.BytesIO()
    free = {2: "y", 3: "x"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.randn(1, 1, size, size),),
            file,
            dynamo=False,
            input_names=["in"],
            output_names=["out"],
            dynamic_axes=None if fixed else {"in": free, "out": free},
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        file.getvalue(), options, providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, {"in": batch.numpy()})[0]


def test_max_pools_of_onnx_runtime_swallow_nan_and_are_seen_through(make_unet: MakeNet) -> None:
    network = _in_onnx_runtime(make_unet(), 64, fixed=False)
    with torch.no_grad():
        spoilt = torch.zeros(1, 1, 64, 64)
        spoilt[0, 0, 32, 32] = torch.nan
        assert np.isnan(network(spoilt)).sum() < np.isnan(make_unet()(spoilt).numpy()).sum()
    assert _probe(network) == ModelGeometry((26, 26), (4, 4), 1)


@pytest.mark.parametrize("size", [64, 128])
def test_one_size_and_no_other_is_enough_where_the_reach_fits(
    make_unet: MakeNet, size: int
) -> None:
    network = _in_onnx_runtime(make_unet(), size, fixed=True)
    sizes = ValidSizes.fixed((size, size))
    found = _probe(network, sizes=sizes, are_strict=True)
    assert found == ModelGeometry((26, 26), (4, 4), 1, sizes=sizes)


def test_one_size_in_which_the_reach_does_not_fit() -> None:
    def far(x: Tensor) -> Tensor:
        return F.avg_pool2d(x.reshape(1, 1, 48, 64), (1, 61), 1, (0, 30))

    found = _probe(far, sizes=ValidSizes.fixed((48, 64)), are_strict=True)
    assert found.reach is None
    assert found.sizes.is_fixed
    # declared or not, and larger along one axis than along the other
    near = _probe(lambda x: F.avg_pool2d(x.reshape(1, 1, 32, 64), 3, 1, 1))
    assert near == ModelGeometry((1, 1), (1, 1), 1, sizes=ValidSizes.fixed((32, 64)))


@pytest.mark.parametrize("norm", [nn.Identity, nn.InstanceNorm2d])
def test_programs_optimized_for_inference(make_unet: MakeNet, norm: type[nn.Module]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.optimize_for_inference(torch.jit.script(make_unet(norm=norm)))
    found = _probe(program)
    assert found.reach == ((26, 26) if norm is nn.Identity else None)
    assert found.period == (4, 4)


class _SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.gate = nn.Conv2d(4, 4, 1)
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.last(y * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(y, 1))))


class _Attention(nn.Module):
    """Every cell of 8 x 8 pixels looks at every other; or only those in a window of 2 x 2."""

    def __init__(self, is_windowed: bool) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 8, 8, 8)
        self.look = nn.MultiheadAttention(8, 2, batch_first=True)
        self.back = nn.ConvTranspose2d(8, 1, 8, 8)
        self.is_windowed = is_windowed

    def forward(self, x: Tensor) -> Tensor:
        cells = self.embed(x)
        n, c, h, w = cells.shape
        side_y, side_x = (2, 2) if self.is_windowed else (h, w)
        cells = cells.reshape(n, c, h // side_y, side_y, w // side_x, side_x)
        flat = cells.permute(0, 2, 4, 3, 5, 1).reshape(-1, side_y * side_x, c)
        flat = flat + self.look(flat, flat, flat, need_weights=False)[0]
        cells = flat.reshape(n, h // side_y, w // side_x, side_y, side_x, c)
        return self.back(cells.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w))


@pytest.mark.parametrize(
    ("network", "period"),
    [
        (_SqueezeExcite(), 1),
        (_Attention(is_windowed=False), 8),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 1, 1)), 1),
    ],
    ids=["squeeze and excite", "attention", "group norm"],
)
def test_networks_that_look_everywhere(network: nn.Module, period: int) -> None:
    found = _probe(network.eval())
    assert found.is_global
    assert found.period == (period, period)


def test_attention_in_windows_is_local() -> None:
    found = _probe(_Attention(is_windowed=True).eval())
    assert (found.reach, found.period) == ((15, 15), (16, 16))


class _ValidUNet(nn.Module):
    """One level, no padding: 8 pixels are lost at each end, on even sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.bottom = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.last = nn.Sequential(nn.Conv2d(8, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        deep = self.up(self.bottom(F.max_pool2d(first, 2)))
        y, x_ = ((a - b) // 2 for a, b in zip(first.shape[2:], deep.shape[2:], strict=True))
        first = first[..., y : y + deep.shape[2], x_ : x_ + deep.shape[3]]
        return self.last(torch.cat([first, deep], dim=1))


@pytest.mark.parametrize("where", ["eager", "onnx"])
def test_networks_without_padding(where: str) -> None:
    network: Any = _ValidUNet().eval()
    if where == "onnx":
        network = _in_onnx_runtime(network, 60, fixed=False)
    found = _probe(network)
    assert (found.reach, found.period) == ((9, 9), (2, 2))
    assert found.offset == found.far_offset == (8, 8)
    assert found.sizes == ValidSizes((18, 18), (2, 2), (None, None))


@pytest.mark.parametrize(
    ("network", "scale", "reach", "period"),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2)), 2.0, 1, 1),
        (nn.Sequential(nn.Conv2d(1, 9, 5), nn.PixelShuffle(3)), 3.0, 2, 1),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(2)), 0.5, 2, 2),
    ],
    ids=["larger", "larger without padding", "smaller"],
)
def test_networks_of_another_scale(
    network: nn.Module, scale: float, reach: int, period: int
) -> None:
    found = _probe(network.eval())
    assert found.output_scale == (scale, scale)
    assert not found.keeps_size
    assert (found.reach, found.period) == ((reach, reach), (period, period))


def test_unusual_sizes_that_a_file_declares() -> None:
    def network(x: Tensor) -> Tensor:
        for n in x.shape[2:]:
            if n < 96 or n % 48:
                raise ValueError(f"{n} pixels")
        return F.avg_pool2d(x, 5, 1, 2)

    declared = ValidSizes((96, 96), (48, 48), (None, None))
    assert _probe(network, sizes=declared) == ModelGeometry((2, 2), (48, 48), 1, sizes=declared)
    # of the sizes that are tried anyway, one fits
    found = _probe(lambda x: F.avg_pool2d(x.reshape(1, 1, *x.shape[2:]), 3, 1, 1))
    assert found.sizes == ValidSizes.any(2)


def test_declared_sizes_that_nothing_demands_are_not_enforced() -> None:
    declared = ValidSizes((64, 64), (16, 16), (None, None))
    found = _probe(nn.Conv2d(1, 1, 3, padding=1), sizes=declared)
    assert found.sizes == ValidSizes.any(2)
    strict = _probe(nn.Conv2d(1, 1, 3, padding=1), sizes=declared, are_strict=True)
    assert strict == ModelGeometry((1, 1), (16, 16), 1, sizes=declared)


def test_a_fixed_number_of_samples() -> None:
    def of_three(x: Tensor) -> Tensor:
        return F.avg_pool2d(x.reshape(3, 1, *x.shape[2:]), 3, 1, 1)

    assert _probe(of_three, batch=3).reach == (1, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_but_what_is_not_finite(value: float) -> None:
    says = r"^net cannot be used: its output is not a number, .* Save or download it again$"
    with pytest.raises(ModelError, match=says):
        _probe(lambda x: torch.full_like(x, value))


def test_no_channels() -> None:
    with pytest.raises(ModelError, match="it returns an image without channels"):
        _probe(lambda x: x[:, :0])


def test_a_part_that_is_not_a_number_does_not_stop_the_look_for_periods() -> None:
    def network(x: Tensor) -> Tensor:
        answer = x - x.mean()
        answer[..., ::2] = float("nan")
        return answer

    assert _probe(network).reach is None


def test_thousands_of_channels() -> None:
    with pytest.raises(ModelError, match="it takes 9,000 channels, more than 1,024"):
        probe_geometry(lambda x: x, name="net", spatial_dims=2, in_channels=9000)
