"""Networks that the tests of this room share, and how they are exported."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _double(
    convolution: type[nn.Module], norm: type[nn.Module], n_in: int, n_out: int
) -> nn.Module:
    return nn.Sequential(
        convolution(n_in, n_out, 3, padding=1),
        norm(n_out),
        nn.ReLU(),
        convolution(n_out, n_out, 3, padding=1),
        norm(n_out),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Depth-2 U-Net with max-pools and linear upsampling."""

    def __init__(
        self,
        spatial_dims: int = 2,
        channels: int = 1,
        features: int = 4,
        pool: int | tuple[int, ...] = 2,
        norm: type[nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        is_flat = spatial_dims == 2
        convolution = nn.Conv2d if is_flat else nn.Conv3d
        f = features
        self.first = _double(convolution, norm, channels, f)
        self.second = _double(convolution, norm, f, 2 * f)
        self.bottom = _double(convolution, norm, 2 * f, 4 * f)
        self.up_second = _double(convolution, norm, 6 * f, 2 * f)
        self.up_first = _double(convolution, norm, 3 * f, f)
        self.pool = nn.MaxPool2d(pool) if is_flat else nn.MaxPool3d(pool)
        self.up = nn.Upsample(scale_factor=pool, mode="bilinear" if is_flat else "trilinear")
        self.last = convolution(f, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(self.pool(first))
        bottom = self.bottom(self.pool(second))
        second = self.up_second(torch.cat([self.up(bottom), second], dim=1))
        return self.last(self.up_first(torch.cat([self.up(second), first], dim=1)))


@pytest.fixture
def make_unet() -> Callable[..., nn.Module]:
    def make(**settings: Any) -> nn.Module:
        torch.manual_seed(0)
        return UNet(**settings).eval()

    return make


Export = Callable[..., torch.jit.ScriptModule]


@pytest.fixture(scope="session")
def export() -> Export:
    """Turn a module into TorchScript: ``how`` is script, trace, or one of them and ``+freeze``."""

    def make(
        module: nn.Module, how: str = "script", shape: tuple[int, ...] = (1, 1, 64, 64)
    ) -> torch.jit.ScriptModule:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = (
                torch.jit.script(module)
                if how.startswith("script")
                else torch.jit.trace(module, torch.randn(shape))
            )
            return torch.jit.freeze(program.eval()) if how.endswith("+freeze") else program

    return make


@pytest.fixture
def save(tmp_path: Path, export: Export) -> Callable[..., Path]:
    """Save a module as TorchScript, and say where."""

    def to_file(module: nn.Module, name: str = "model.pt", how: str = "script") -> Path:
        path = tmp_path / name
        program = module if isinstance(module, torch.jit.ScriptModule) else export(module, how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(program, path)
        return path

    return to_file


@pytest.fixture
def rewrite(tmp_path: Path) -> Callable[..., Path]:
    """Edit the members of a zip archive: a function gets name and bytes, and gives bytes."""

    def to_file(path: Path, edit: Callable[[str, bytes], bytes], name: str = "edited.pt") -> Path:
        edited = tmp_path / name
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
            for member in old.namelist():
                new.writestr(member, edit(member, old.read(member)))
        return edited

    return to_file
