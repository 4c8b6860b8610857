"""Exported programs that call kernels with sizes that do not fit, and ordinary ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models import ModelError
from napari_tessera.models.aten import ATEN
from napari_tessera.models.exported import load_exported
from napari_tessera.models.exported.checked import CHECKED

Make = Callable[..., Path]

ATEN_OPS = torch.ops.aten
IMAGE = torch.ones(1, 1, 16, 16)


def test_no_kernel_that_needs_a_check_is_reached_without_one() -> None:
    unchecked = {operation._schema.name.removeprefix("aten::") for operation in CHECKED} & ATEN
    assert unchecked == {"_weight_norm"}, "TorchScript has a check of its own for this alone"


_SHORT = torch.ones(1)
_LONG = torch.ones(1, 50, 2, 2)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (ATEN_OPS.native_batch_norm.default, (_LONG, _SHORT, None, _SHORT, _SHORT, False, 0.1, 1)),
        (
            ATEN_OPS._native_batch_norm_legit.default,
            (_LONG, None, None, _SHORT, _SHORT, False, 0.1, 1),
        ),
        (ATEN_OPS._native_batch_norm_legit.no_stats, (_LONG, _SHORT, _SHORT, True, 0.1, 1)),
        (
            ATEN_OPS._native_batch_norm_legit_no_training.default,
            (_LONG, None, None, _SHORT, _SHORT, 0.1, 1),
        ),
        (ATEN_OPS._weight_norm.default, (torch.ones(50, 1), _SHORT)),
        (ATEN_OPS._weight_norm_interface.default, (torch.ones(50, 1), _SHORT)),
        (ATEN_OPS._weight_norm_interface.default, (torch.ones(5, 5), torch.ones(5, 5), 7)),
        (
            ATEN_OPS._scaled_dot_product_flash_attention_for_cpu.default,
            (torch.ones(1, 1, 64, 8), torch.ones(1, 1, 64, 8), torch.ones(1, 1, 2, 8)),
        ),
        (ATEN_OPS._fft_r2c.default, (torch.ones(4, 4), [7], 0, True)),
        (ATEN_OPS._fft_r2c.default, (torch.ones(4, 4), [], 0, True)),
        (ATEN_OPS._fft_c2r.default, (torch.ones(4, dtype=torch.complex64), [0], 0, 10**6)),
        (ATEN_OPS._fft_c2c.default, (torch.ones(4, dtype=torch.complex64), [5], 0, True)),
    ],
)
def test_sizes_that_do_not_fit_never_reach_the_kernel(
    operation: Any, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(ValueError, match="is called with sizes that do not fit"):
        CHECKED[operation](*arguments)


class _ShortStatistics(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        long, short = torch.ones(1, 500_000, 1, 2), torch.ones(1)
        call = ATEN_OPS._native_batch_norm_legit_no_training.default
        return x + call(long, None, None, short, short, 0.1, 1e-5)[0].mean()


class _ShortLengths(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        call = ATEN_OPS._weight_norm_interface.default
        return x + call(torch.ones(500_000, 1), torch.ones(1), 0)[0].mean()


@pytest.mark.parametrize("network", [_ShortStatistics, _ShortLengths])
def test_a_file_with_such_sizes_does_not_end_the_process(
    network: type[nn.Module], export_program: Make
) -> None:
    loaded = load_exported(export_program(network(), IMAGE))
    with pytest.raises(ValueError, match="sizes that do not fit"):
        loaded.network(IMAGE)


class _Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 8, 3, padding=1))
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 1, 1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.norm(self.first(x)))
        tokens = y.flatten(2).transpose(1, 2)[:, None]
        y = y + F.scaled_dot_product_attention(tokens, tokens, tokens)[:, 0].mean()
        return self.last(torch.fft.irfft2(torch.fft.rfft2(y), s=y.shape[-2:]))


@pytest.mark.parametrize("decompose", [False, True])
def test_ordinary_layers_pass_the_checks(export_program: Make, decompose: bool) -> None:
    torch.manual_seed(0)
    network = _Layers().eval()
    image = torch.randn(1, 1, 16, 16)
    loaded = load_exported(export_program(network, image, decompose=decompose))
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(image), network(image), rtol=1e-4, atol=1e-5)


class _Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class _Drops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)


@pytest.mark.parametrize("network", [_Noise, _Drops])
def test_random_numbers_are_refused(network: type[nn.Module], export_program: Make) -> None:
    path = export_program(network(), IMAGE)
    with pytest.raises(ModelError, match=r"rand_like|random numbers"):
        load_exported(path)


def test_a_number_as_a_type_is_refused(export_program: Make, edit_types: Make) -> None:
    with pytest.raises(ModelError, match="dtype that there is not"):
        load_exported(edit_types(export_program(_Zeros(), IMAGE)))


class _Zeros(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros_like(x, dtype=torch.float32)


@pytest.fixture
def edit_types() -> Make:
    """Write a number in the place of each type that an operation is given."""
    import json
    import zipfile

    def to_file(path: Path) -> Path:
        edited = path.with_name("edited.pt2")
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name.endswith("models/model.json"):
                    text = json.dumps(json.loads(content))
                    assert '"as_scalar_type": 7' in text
                    content = text.replace('"as_scalar_type": 7', '"as_int": 10000000').encode()
                new.writestr(name, content)
        return edited

    return to_file
