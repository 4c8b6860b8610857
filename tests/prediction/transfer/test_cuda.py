"""Lanes of a real device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera import load_model, open_stack, predict
from napari_tessera.prediction import inference
from napari_tessera.prediction.transfer.choice import transfer_for
from napari_tessera.prediction.transfer.cuda import CudaLanes
from napari_tessera.prediction.transfer.plain import PlainTransfer
from napari_tessera.prediction.transfer.staged import StagedTransfer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def device() -> torch.device:
    return torch.device("cuda", 0)


class Blurring(torch.nn.Module):
    """Mean of 3×3: additions in one order, so that two runs give the same bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
        torch.nn.init.constant_(self.conv.weight, 1 / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.conv(x)
        return answer


def test_cuda_has_lanes(device: torch.device) -> None:
    assert isinstance(transfer_for(device), StagedTransfer)


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "float16", "float32"])
def test_pixels_of_every_kind_arrive(device: torch.device, kind: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (4, 64)).astype(np.uint8).view(kind)
    values = np.nan_to_num(values) if np.dtype(kind).kind == "f" else values
    lanes = CudaLanes(device)
    host = lanes.memory(values.nbytes).view(getattr(torch, kind)).view(*values.shape)
    np.copyto(host.numpy(), values)
    there, mark = lanes.copy_in(host)
    wide = there.to(torch.float32)
    mark.wait()
    assert np.array_equal(wide.cpu().numpy(), values.astype(np.float32))


@pytest.mark.parametrize("pins", [True, False])
def test_what_comes_back_waits_for_what_is_computed(device: torch.device, pins: bool) -> None:
    lanes = CudaLanes(device)
    lanes._pins = pins
    host = lanes.memory(4 * 1024 * 1024).view(torch.float32).view(1024, 1024)
    assert host.is_pinned() is pins
    there = torch.ones(1024, 1024, device=device)
    for _ in range(50):
        there = there @ torch.eye(1024, device=device)
    lanes.copy_out([(there, host)]).wait()
    assert (host == 1).all()


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("blending", ["crop", "linear"])
def test_a_run_gives_the_bytes_of_the_plain_way(
    dtype: str, batch: int, blending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(2).normal(1000, 80, (3, 200, 300)).astype(dtype)
    settings: dict[str, Any] = {
        "patch_size": 64,
        "overlaps": 16,
        "normalization": "time_point",
        "batch_size": batch,
        "blending": blending,
    }
    model = load_model(Blurring(), device="cuda:0")
    staged = predict(open_stack(values, "TYX"), model, **settings)
    monkeypatch.setattr(inference, "transfer_for", PlainTransfer)
    plain = predict(open_stack(values, "TYX"), model, **settings)
    assert staged.tobytes() == plain.tobytes()
