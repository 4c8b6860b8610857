from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from napari_tessera import load_model
from napari_tessera.models import ModelError, placement
from napari_tessera.models.preparation import UNPREPARED


def test_loading_prepares_nothing(
    make_unet: Callable[..., nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(*given: object, **how: object) -> object:
        asked.append(given)
        return prepare(*given, **how)  # type: ignore[arg-type]

    prepare = placement.prepare
    monkeypatch.setattr(placement, "prepare", counted)
    model = load_model(make_unet(), device="cpu", prepare=True)
    assert model.geometry.reach is not None
    model(torch.randn(1, 1, 32, 32))
    assert not asked
    for _ in range(3):
        model(torch.randn(1, 1, 64, 64))
    assert len(asked) == 1
    assert model.preparation == model.info.preparation != UNPREPARED


def test_small_tiles_go_through_the_network_as_it_was_loaded(
    make_unet: Callable[..., nn.Module],
) -> None:
    network = make_unet()
    model = load_model(network, device="cpu", prepare=True)
    small, large = torch.randn(1, 1, 60, 68), torch.randn(1, 1, 64, 64)
    assert small[0, 0].numel() < placement.SMALL <= large[0, 0].numel()
    before = model(small)
    model(large)
    with torch.no_grad():
        assert torch.equal(before, network(small))
        assert torch.equal(model(small), before)
        assert torch.allclose(model(large), network(large), atol=1e-5)


def test_unprepared_models_run_as_they_were_loaded(make_unet: Callable[..., nn.Module]) -> None:
    network = make_unet(norm=nn.BatchNorm2d).eval()
    model = load_model(network, device="cpu", prepare=False)
    batch = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(batch), network(batch))
    assert model.preparation == UNPREPARED
    assert not model.prepared
    assert not model.to("cpu", "bfloat16").prepared
    assert load_model(network, device="cpu", prepare=True).to("cpu", "bfloat16").prepared


def test_code_of_a_module_runs_for_each_tile_unless_it_may_be_rewritten() -> None:
    class Counting(nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Counting.calls += 1
            return torch.nn.functional.avg_pool2d(x, 3, 1, 1)

    model, tile = load_model(Counting(), device="cpu"), torch.rand(1, 1, 64, 64)
    assert not model.prepared
    assert model.geometry.reach == (1, 1)
    before = Counting.calls
    model(tile)
    model(tile)
    assert Counting.calls == before + 2
    assert load_model(model, prepare=True).prepared
    assert not load_model(load_model(model, prepare=True), prepare=False).prepared
    assert load_model("builtin:denoise2d").prepared


def test_functions_are_not_prepared() -> None:
    model = load_model(lambda x: x * 2, spatial_dims=2, in_channels=1)
    assert model.preparation == UNPREPARED
    assert torch.equal(model(torch.ones(1, 1, 64, 64)), torch.full((1, 1, 64, 64), 2.0))


def test_networks_that_lose_borders_or_take_one_size() -> None:
    valid = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.Conv2d(8, 1, 5)).eval()
    model = load_model(valid, device="cpu", prepare=True)
    plain = load_model(valid, device="cpu", prepare=False)
    batch = torch.randn(1, 1, 70, 80)
    assert model.preparation != UNPREPARED
    assert torch.allclose(model(batch), plain(batch), atol=1e-5)


def test_what_was_given_back_is_taken_anew(
    make_unet: Callable[..., nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = torch.device("meta")
    monkeypatch.setattr(placement, "resolve_device", lambda wanted: meta)
    model = load_model(make_unet(), device="cpu", prepare=True)
    place = model._placement
    assert place.device == meta
    first = place._network()
    assert first is place._network()
    model.release()
    again = place._network()
    assert again is not first
    assert next(again.parameters()).device == meta  # type: ignore[union-attr]
    assert next(model.loaded.network.parameters()).device.type == "cpu"  # type: ignore[union-attr]


class Large(nn.Conv2d):
    """Has no room elsewhere than on the CPU."""

    def to(self, *given: Any, **how: Any) -> Any:
        if given == (torch.device("meta"),):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().to(*given, **how)


def test_weights_without_room_stay_on_the_cpu_where_no_device_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meta = torch.device("meta")
    monkeypatch.setattr(
        placement, "resolve_device", lambda wanted: meta if wanted in ("auto", "meta") else wanted
    )
    network = Large(1, 1, 3, padding=1)
    model = load_model(network, device="auto")
    assert model.device == torch.device("cpu")
    said = "meta has no memory left for the model: it runs on the CPU"
    assert said in model.warnings
    batch = torch.randn(1, 1, 70, 70)
    with torch.no_grad():
        assert torch.allclose(model(batch), network(batch), atol=1e-5)
    with pytest.raises(ModelError, match=r"it cannot be put on meta .*Choose device cpu"):
        load_model(network, device="meta")


def test_on_the_cpu_nothing_is_given_back(make_unet: Callable[..., nn.Module]) -> None:
    model = load_model(make_unet(), device="cpu", prepare=True)
    batch = torch.randn(1, 1, 64, 64)
    before, network = model(batch), model._placement.network_for(batch, model.geometry)
    model.release()
    assert model._placement.network_for(batch, model.geometry) is network
    assert torch.equal(model(batch), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_has_its_memory_back(make_unet: Callable[..., nn.Module]) -> None:
    before = torch.cuda.memory_allocated()
    model = load_model(make_unet(features=64), device="cuda", prepare=True)
    batch = torch.randn(1, 1, 256, 256, device="cuda")
    answer = model(batch)
    model.release()
    del batch
    assert torch.cuda.memory_allocated() <= before + answer.nbytes
    assert torch.equal(model(torch.zeros_like(answer)), model(torch.zeros_like(answer)))


def test_what_surrounds_the_call_changes_nothing() -> None:
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    tile = torch.rand(1, 1, 64, 64) * 4000
    expected = load_model(network, device="cpu", prepare=True)(tile)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(load_model(network, device="cpu", prepare=True)(tile), expected)
    expected = load_model("builtin:denoise2d", device="cpu")(tile)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(load_model("builtin:denoise2d", device="cpu")(tile), expected)
    finally:
        torch.set_default_dtype(torch.float32)
