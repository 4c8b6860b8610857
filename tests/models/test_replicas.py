"""One model on several devices, here on the CPU several times."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from napari_tessera import load_model
from napari_tessera.models import ModelError
from napari_tessera.models.per_channel import ChannelModels


def test_a_model_is_its_only_replica() -> None:
    model = load_model(nn.Conv2d(1, 1, 3, padding=1), device="cpu")
    assert model.replicas == (model,)
    channels = load_model({0: model, 2: model})
    assert channels.replicas == (channels,)


class Remembering(nn.Module):
    """Keeps what it works on in itself, as some networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.kept = x
        return self.kept + 1


def test_replicas_share_what_is_measured_and_no_state() -> None:
    torch.manual_seed(0)
    model = load_model(
        nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), Remembering()), device="cpu,cpu"
    )
    first, second = model.replicas
    assert first is model
    assert second.replicas == (second,)
    assert second.loaded.network is not first.loaded.network
    assert second.geometry is first.geometry
    assert second.sha256 == first.sha256
    assert (second.name, second.precision) == (first.name, first.precision)
    batch = torch.rand(2, 1, 32, 32)
    assert torch.equal(first(batch), second(batch))


def test_many_by_a_sequence_and_by_moving() -> None:
    model = load_model(nn.Conv2d(1, 1, 3, padding=1), device=["cpu", torch.device("cpu"), "cpu"])
    assert len(model.replicas) == 3
    assert load_model(model) is model
    assert len(model.to("cpu").replicas) == 1
    assert len(model.to("cpu,cpu", "bfloat16").replicas) == 2
    assert model.to("cpu,cpu", "bfloat16").replicas[1].precision == "bfloat16"
    assert len(load_model(model, device="cpu,cpu").replicas) == 2


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_functions_and_files_run_several_times_too(tmp_path: Path) -> None:
    model = load_model(lambda x: x + 1, device="cpu,cpu", spatial_dims=2, in_channels=1)
    batch = torch.rand(1, 1, 16, 16)
    assert torch.equal(model.replicas[1](batch), batch + 1)
    torch.jit.script(nn.Conv2d(1, 1, 3, padding=1)).save(tmp_path / "net.pt")
    scripted = load_model(tmp_path / "net.pt", device="cpu,cpu", spatial_dims=2, in_channels=1)
    assert torch.equal(scripted(batch), scripted.replicas[1](batch))


def test_models_of_channels_have_replicas_together() -> None:
    conv = nn.Conv2d(1, 1, 3, padding=1)
    models = load_model({0: conv, 1: lambda x: 2 * x}, device="cpu,cpu", spatial_dims=2)
    first, second = models.replicas
    assert first is models
    assert isinstance(second, ChannelModels)
    assert second.for_channel(1) is models.for_channel(1).replicas[1]
    assert second.geometry == first.geometry
    with pytest.raises(ModelError, match="it is cpu,cpu on its device and the model of channel 0"):
        ChannelModels({0: load_model(conv, device="cpu"), 1: load_model(conv, device="cpu,cpu")})


def test_a_device_that_is_not_here_is_said_while_loading() -> None:
    with pytest.raises(ValueError, match="device 'cuda:77' is not on this machine"):
        load_model(nn.Conv2d(1, 1, 3), device="cpu,cuda:77")


def test_a_module_that_cannot_be_copied_again_is_shared() -> None:
    class Once(nn.Module):
        copies = 0

        def __deepcopy__(self, memo: object) -> Once:
            Once.copies += 1
            if Once.copies > 1:
                raise TypeError("once")
            return Once()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    model = load_model(Once(), device="cpu,cpu")
    assert model.replicas[1].loaded.network is model.loaded.network
