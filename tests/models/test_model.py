from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models import ModelError, load_model


def test_what_a_model_takes_and_gives(make_unet: Callable[..., nn.Module]) -> None:
    network = make_unet(spatial_dims=3)
    model = load_model(network, device="cpu")
    assert model.spatial_dims == 3
    assert model.in_channels == 1
    batch = torch.randn(2, 1, 8, 16, 16)
    before = batch.clone()
    answer = model(batch)
    assert answer.shape == batch.shape
    assert answer.dtype == torch.float32
    assert torch.equal(batch, before)
    with torch.no_grad():
        assert torch.equal(answer, network(batch))
    answer += 1


def test_networks_that_work_in_place_leave_the_batch_alone() -> None:
    batch = torch.randn(1, 1, 8, 8)
    before = batch.clone()
    assert (load_model(nn.ReLU(inplace=True), spatial_dims=2)(batch) >= 0).all()
    load_model(lambda x: x.mul_(2))(batch)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_stays_close_and_comes_back_in_float32(
    make_unet: Callable[..., nn.Module], precision: str
) -> None:
    plain = load_model(make_unet(), device="cpu")
    reduced = plain.to("cpu", precision)
    assert (plain.precision, reduced.precision) == ("float32", precision)
    batch = torch.randn(1, 1, 64, 64)
    exact, rough = plain(batch), reduced(batch)
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    assert float((exact - rough).abs().max() / (exact.max() - exact.min())) < 0.05


def test_geometry_is_measured_once_and_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def smooth(x: Tensor) -> Tensor:
        calls.append(x.shape)
        return F.avg_pool2d(x, 3, 1, 1)

    model = load_model(smooth)
    assert model.geometry.reach == (1, 1)
    before = len(calls)
    assert model.to("cpu").geometry is model.geometry
    assert len(calls) == before


def test_what_is_measured_comes_with_warnings() -> None:
    assert load_model(lambda x: x).warnings == ()
    (warning,) = load_model(lambda x: x + torch.arange(x.shape[-1])).warnings
    assert "expect seams" in warning


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: (x, x), "returns a tuple of 2 items instead of one image"),
        (lambda x: {"image": x}, "returns a dict of 1 items"),
        (lambda x: None, "returns nothing instead"),
        (lambda x: x[0], "returns shape 1×32×64 for an input of 1×1×32×64"),
        (lambda x: x.mean(), "returns shape a single number"),
        (lambda x: torch.fft.fft2(x), "returns complex numbers"),
        (lambda x: np.full(x.shape, "a"), "returns an array of <U1"),
        (lambda x: "image", "returns 'str'"),
        (lambda x: x[..., :7, :7], "returns 7×7 pixels for 32×64"),
    ],
)
def test_answers_that_are_no_tile(function: Callable[[Tensor], Any], says: str) -> None:
    with pytest.raises(ModelError, match=says) as raised:
        load_model(function)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "convert", [np.asarray, lambda x: x.to(torch.uint8), lambda x: x.double(), lambda x: x > 0]
)
def test_other_number_types_become_float32(convert: Callable[[Tensor], Any]) -> None:
    assert load_model(convert)(torch.ones(1, 1, 8, 8)).dtype == torch.float32


def test_what_a_running_model_raises_comes_through() -> None:
    def small(x: Tensor) -> Tensor:
        if x.numel() > 2**20:
            raise RuntimeError("CUDA out of memory")
        return x

    model = load_model(small)
    model(torch.ones(1, 1, 8, 8))
    with pytest.raises(RuntimeError, match="out of memory"):
        model(torch.ones(1, 1, 2048, 2048))


def test_a_model_says_what_it_is() -> None:
    assert repr(load_model("builtin:denoise2d", device="cpu")) == (
        "<Model builtin:denoise2d 2D on cpu, float32>"
    )


def test_tiles_of_any_size_and_number_run(make_unet: Callable[..., nn.Module]) -> None:
    network = make_unet()
    model = load_model(network, device="cpu", prepare=False)
    image = torch.randn(2, 1, 61, 75)
    padded = F.pad(image, (0, 1, 0, 3), mode="reflect")
    with torch.no_grad():
        expected = network(padded)[..., :61, :75]
    assert torch.equal(model(image), expected)
    assert model(torch.randn(1, 1, 1, 2)).shape == (1, 1, 1, 2)


def test_networks_without_padding_keep_pixels_where_they_are() -> None:
    network = nn.Conv2d(1, 1, 5, bias=False)
    nn.init.zeros_(network.weight)
    network.weight.data[0, 0, 2, 2] = 1
    image = torch.randn(1, 1, 20, 31)
    assert torch.allclose(load_model(network, device="cpu")(image), image)


def test_batches_that_do_not_go_with_the_model_are_refused_in_one_line() -> None:
    model = load_model(nn.Conv2d(2, 1, 1), device="cpu")
    with pytest.raises(ModelError, match="it takes 2 channels and the batch has 3") as raised:
        model(torch.zeros(1, 3, 8, 8))
    assert "\n" not in str(raised.value)
    with pytest.raises(ModelError, match="it takes NCYX and the batch has 5 axes"):
        model(torch.zeros(1, 2, 4, 8, 8))
    flat = load_model(nn.Conv3d(1, 1, 1), device="cpu")
    with pytest.raises(ModelError, match="it takes NCZYX and the batch has 4 axes"):
        flat(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ModelError, match="it takes 1 channel and the batch has 2"):
        flat(torch.zeros(1, 2, 4, 8, 8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu(make_unet: Callable[..., nn.Module]) -> None:
    model = load_model(make_unet())
    assert model.device.type == "cuda"
    batch = torch.randn(1, 1, 64, 64)
    answer = model(batch.to(model.device))
    assert answer.device == model.device
    torch.testing.assert_close(answer.cpu(), model.to("cpu")(batch), rtol=1e-2, atol=1e-2)
