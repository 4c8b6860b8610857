"""Programs whose operations are all allowed, and whose arguments would end the process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.torchscript.program import check_program
from napari_tessera.models.torchscript.source import RefusedCodeError

Export = Callable[..., torch.jit.ScriptModule]


class _Prints(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        print(x)
        return x


class _ShortStatistics(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        long = torch.ones(1, 5000, 1, 2)
        short = torch.zeros(1)
        return x + torch.native_batch_norm(long, None, None, short, short, True, 0.1, 1e-5)[0].sum()


class _ShortLengths(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.ones(5000, 1))
        self.length = nn.Parameter(torch.ones(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch._weight_norm(self.direction, self.length, 0).sum()


class _LengthsOfTheImage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch._weight_norm(x, torch.ones(1, 1, 1, 1), 0).sum()


class _Turned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.ones(1, 5000))
        self.length = nn.Parameter(torch.ones(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        self.direction.t_()
        return x + torch._weight_norm(self.direction, self.length, 0).sum()


class _NoType(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros_like(x, dtype=10_000_000)


class _LateType(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros_like(x, dtype=x.size(3) * 100_000)


class _NoLayout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=99)


class _Remainder(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (7 % (x.size(0) - x.size(0)))


class _Quotient(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * ((-9223372036854775807 - x.size(0)) // -1)


class _Places(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, x, out=torch.ones(1))


class _CopiesToNothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        nothing: int | None = None
        return x.to(nothing, False, True)


class _Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class _AlwaysDrops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, True)


class _SwitchesOn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        self.training = True
        return F.dropout(x, 0.5, self.training)


class _DropsAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (_Prints, "the operation prim::Print"),
        (_ShortStatistics, "the operation aten::native_batch_norm"),
        (_ShortLengths, "aten::_weight_norm on sizes that do not fit"),
        (_LengthsOfTheImage, "aten::_weight_norm on sizes that do not fit"),
        (_Turned, "aten::_weight_norm on sizes that do not fit"),
        (_NoType, "zeros_like with a dtype that there is not"),
        (_LateType, "zeros_like with a dtype that there is not"),
        (_NoLayout, "contiguous with a memory_format that there is not"),
        (_Remainder, "divides .aten::remainder. by a number that is 0"),
        (_Quotient, "divides .aten::floordiv. by a number that is 0"),
        (_Places, "writes a result of aten::add to a place of its own"),
        (_CopiesToNothing, "copies with aten::to and no type"),
        (_Noise, "the operation aten::rand_like"),
        (_AlwaysDrops, "random numbers"),
        (_SwitchesOn, "random numbers"),
        (_DropsAttention, "random numbers"),
    ],
)
def test_what_would_do_more_than_compute_is_refused(
    network: type[nn.Module], says: str, export: Export
) -> None:
    program = export(network(), "script")
    with pytest.raises(RefusedCodeError, match=says):
        check_program(program)


class _Ordinary(nn.Module):
    """Sizes, types and weights as scripted networks use them."""

    def __init__(self) -> None:
        super().__init__()
        self.ratio = (2, 4)
        self.depth = 2
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.size(2), x.size(3)
        step = 4 * self.depth
        padded = F.pad(x, [0, -width % step, 0, -height % (self.ratio[0] * 2)])
        half = [padded.size(2) // self.ratio[0], padded.size(3) // 2]
        small = F.interpolate(self.drop(self.first(padded)), size=half, mode="nearest")
        large = F.interpolate(small, scale_factor=2.0, mode="bilinear", align_corners=False)
        mask = torch.zeros_like(x, dtype=torch.float32) + torch.ones(1, dtype=x.dtype)
        return large.mean(dim=1, keepdim=True).to(x.dtype)[:, :, :height, :width] * mask


@pytest.mark.parametrize("how", ["script", "trace", "script+freeze", "trace+freeze"])
def test_what_scripted_networks_do_with_sizes_passes(how: str, export: Export) -> None:
    network = _Ordinary().eval()
    program = export(network, how)
    check_program(program)
    image = torch.randn(1, 1, 30, 44)
    torch.testing.assert_close(program(image), network(image))


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_of_weight_norm_pass(axis: int, export: Export) -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 3, 3), dim=axis)
    check_program(export(nn.Sequential(layer).eval(), "trace"))
