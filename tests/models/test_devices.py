from __future__ import annotations

import pytest
import torch

from napari_tessera.models.devices import (
    DeviceInfo,
    available_devices,
    named_devices,
    resolve_device,
)


def test_the_cpu_is_always_there_with_its_free_memory() -> None:
    cpu = available_devices()[-1]
    assert (cpu.name, cpu.label) == ("cpu", "CPU")
    assert cpu.free_bytes is not None
    assert cpu.free_bytes > 0


def test_auto_is_the_first_of_the_list() -> None:
    assert resolve_device("auto").type == torch.device(available_devices()[0].name).type
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")


def test_devices_that_are_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [DeviceInfo("cuda:0", "A GPU", 1), DeviceInfo("cpu", "CPU", 1)]
    monkeypatch.setattr("napari_tessera.models.devices.available_devices", lambda: here)
    with pytest.raises(ValueError, match="'cuda:7' is not on this machine: use auto, cuda:0 or"):
        resolve_device("cuda:7")
    with pytest.raises(ValueError, match="'quantum' is not on this machine"):
        resolve_device("quantum")
    assert resolve_device("cuda") == torch.device("cuda", 0)


def test_several_devices_are_told_apart() -> None:
    cpu = torch.device("cpu")
    assert named_devices("auto") == ("auto",)
    assert named_devices("cuda:0, cuda:1") == ("cuda:0", "cuda:1")
    assert named_devices(["cpu", cpu]) == ("cpu", cpu)
    assert named_devices(cpu) == (cpu,)
    for wanted in ("auto,cuda:0", ["cpu", "all"]):
        with pytest.raises(ValueError, match="stands beside others in"):
            named_devices(wanted)
    for wanted in ("", "cpu,", []):
        with pytest.raises(ValueError, match="leaves one out: use auto, or name each device"):
            named_devices(wanted)


def test_all_is_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [DeviceInfo("cpu", "CPU", 1)]
    monkeypatch.setattr("napari_tessera.models.devices.available_devices", lambda: here)
    with pytest.raises(ValueError, match="'all': this machine has no CUDA GPU: use auto or cpu"):
        named_devices("all")
    here[:0] = [DeviceInfo(f"cuda:{i}", "A GPU", 1) for i in range(3)]
    assert named_devices("all") == named_devices(["all"]) == ("cuda:0", "cuda:1", "cuda:2")
