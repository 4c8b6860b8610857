from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.aten import ATEN
from napari_tessera.models.torchscript import load_torchscript
from napari_tessera.models.torchscript.operations import KINDS, PRIM


def test_no_name_reads_or_writes_files_or_reaches_out() -> None:
    files = {"from_file", "save", "load"}
    others = {"to_here", "owner", "owner_name", "local_value", "get_gradients", "record_stream"}
    shared = {"manual_seed", "seed", "set_grad_enabled", "_debug_has_internal_overlap", "_print"}
    memory = {"as_strided", "set", "set_", "resize", "resize_", "set_data", "_reshape_alias"}
    elsewhere = {"_triton_multi_head_attention", "_triton_scaled_dot_attention", "wait"}
    dangerous = files | others | shared | memory | elsewhere
    # these are names that PyTorch has, not words that have become meaningless
    registered = {schema.name for schema in torch._C._jit_get_all_schemas()}
    assert {f"aten::{name}" for name in files & dangerous - {"load"}} <= registered
    assert not dangerous & ATEN
    assert not {"PythonOp", "CallMethod", "fork", "rpc_async", "Print", "awaitable_wait"} & PRIM


def test_only_two_namespaces() -> None:
    assert {kind.partition("::")[0] for kind in KINDS} == {"aten", "prim"}


def test_every_function_that_only_has_a_safe_name_takes_no_file_name() -> None:
    """Of PyTorch's own list, what is allowed and takes text takes it as a mode, never as a path."""
    takes_text = {
        (schema.name, argument.name)
        for schema in torch._C._jit_get_all_schemas()
        for argument in schema.arguments
        if "str" in str(argument.type) and schema.name in KINDS
    }
    assert not {name for name, argument in takes_text if "file" in argument or "path" in argument}


class _Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1, padding_mode="reflect")
        self.norms = nn.Sequential(
            nn.BatchNorm2d(8), nn.InstanceNorm2d(8, affine=True), nn.GroupNorm(2, 8)
        )
        self.last = nn.ConvTranspose2d(8, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norms(self.first(x)))


class _Activations(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.SiLU(), nn.GELU(), nn.PReLU(), nn.ELU(), nn.Mish(), nn.Softplus(), nn.Hardswish()]
        )
        self.convolution = nn.Conv2d(1, 1, 3, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(self.convolution(x)).tanh()
        return x.clamp(min=-1, max=1)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 8, 8, 8)
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 24)
        self.shuffle = nn.Sequential(nn.Conv2d(8, 64, 1), nn.PixelShuffle(8))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x)
        b, c, h, w = tokens.shape
        q, k, v = self.mix(self.norm(tokens.flatten(2).transpose(1, 2))).chunk(3, dim=-1)
        mixed = torch.softmax(q @ k.transpose(-2, -1) / c**0.5, dim=-1) @ v
        mixed = mixed + F.scaled_dot_product_attention(q, k, v)
        return self.shuffle(mixed.transpose(1, 2).reshape(b, c, h, w)).mean(dim=1, keepdim=True)


class _Transformer(nn.Module):
    """Layers that PyTorch replaces by one operation each where nothing is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 8, 8, 8)
        self.mix = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.back = nn.ConvTranspose2d(8, 1, 8, 8)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x)
        mixed = self.mix(tokens.flatten(2).transpose(1, 2))
        mixed = self.attend(mixed, mixed, mixed, need_weights=False)[0]
        return self.back(mixed.transpose(1, 2).reshape(tokens.shape))


class _Resizing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1, groups=1)
        self.depthwise = nn.Conv2d(4, 4, 5, padding=2, groups=4)
        self.excite = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())
        self.out = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 1, 1))
        self.drop = nn.Dropout2d(0.3)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        padded = F.pad(x, [0, (-width) % 8, 0, (-height) % 8], mode="reflect")
        small = F.avg_pool2d(self.convolution(padded), 2)
        large = F.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False)
        large = large + F.interpolate(small, size=padded.shape[-2:], mode="nearest")
        answer = self.out(self.drop(self.depthwise(large) * self.excite(large)))
        return (padded - answer)[..., :height, :width]


class _Standardizing(nn.Module):
    """What people put around a network: its own normalization, in a loop, with a test."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([2.0]))
        self.steps: int = 3
        self.convolution = nn.Conv2d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            raise ValueError(f"4 axes expected, {x.dim()} given")
        mean = x.mean(dim=(2, 3), keepdim=True)
        std = x.std(dim=(2, 3), keepdim=True) + 1e-6
        y = (x - mean) / std
        parts: list[Tensor] = []
        for step in range(self.steps):
            y = y - 0.1 * self.convolution(y) * self.scale / float(step + 1)
            parts.append(y)
        return torch.stack(parts).median(dim=0)[0] * std + mean


@pytest.mark.parametrize(
    ("make", "how"),
    [
        (make, how)
        for make in (_Norms, _Activations, _Attention, _Transformer, _Resizing, _Standardizing)
        for how in ("script", "trace", "script+freeze", "trace+freeze")
        # PyTorch cannot script a parametrized layer
        if not (make is _Resizing and how.startswith("script"))
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_ordinary_networks_load_and_give_the_same(
    make: Callable[[], nn.Module], how: str, save: Callable[..., Path]
) -> None:
    torch.manual_seed(1)
    network = make().eval().requires_grad_(False)
    loaded = load_torchscript(save(network, how=how))
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(loaded(image), network(image), rtol=1e-4, atol=1e-5)
