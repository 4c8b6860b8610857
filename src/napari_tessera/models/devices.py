"""What models can run on, on this machine."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch


@dataclass(frozen=True)
class DeviceInfo:
    """A device of this machine.

    Parameters
    ----------
    name : str
        As ``load_model`` takes it: ``"cpu"``, ``"cuda:0"``, ``"mps"``.
    label : str
        What people call it.
    free_bytes : int or None
        Free memory at the moment of asking; None where the system does not say.
    """

    name: str
    label: str
    free_bytes: int | None


def available_devices() -> list[DeviceInfo]:
    """List what this machine has, the one that ``"auto"`` takes first."""
    devices = []
    if torch.cuda.is_available():
        devices = [
            DeviceInfo(f"cuda:{index}", torch.cuda.get_device_name(index), _cuda_free(index))
            for index in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        devices.append(DeviceInfo("mps", "Apple GPU", free))
    return [*devices, DeviceInfo("cpu", "CPU", psutil.virtual_memory().available)]


def resolve_device(wanted: str | torch.device) -> torch.device:
    """Turn ``"auto"`` or a name into a device that this machine has.

    Raises
    ------
    ValueError
        Naming what this machine has.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    names = [device.name for device in available_devices()]
    name = "cuda:0" if str(wanted) == "cuda" else str(wanted)
    if name not in names:
        raise ValueError(f"device {str(wanted)!r} is not on this machine: use {_either(names)}")
    return torch.device(name)


def _cuda_free(index: int) -> int | None:
    try:
        return int(torch.cuda.mem_get_info(index)[0])
    except RuntimeError:
        # another program has all of the device's memory, or has it to itself
        return None


def _either(names: list[str]) -> str:
    return ", ".join(["auto", *names[:-1]]) + f" or {names[-1]}"
