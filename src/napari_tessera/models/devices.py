"""What models can run on, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import torch

ALL = "all"
"""Stands for every CUDA GPU of this machine."""

Devices = str | torch.device | Sequence[str | torch.device]
"""One device, or several: a sequence, names with commas between them, or `ALL`."""


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


def named_devices(wanted: Devices) -> tuple[str | torch.device, ...]:
    """Tell apart the devices that are named, without a look at whether they are there.

    Parameters
    ----------
    wanted : str, torch.device or sequence of these
        ``"cpu"``, ``"cuda:0,cuda:1"``, ``["cuda:0", "cuda:1"]``; ``"all"`` is every CUDA GPU of
        this machine. The same one may be named twice.

    Returns
    -------
    tuple of (str or torch.device)
        As `resolve_device` takes them, in the order given: at least one.

    Raises
    ------
    ValueError
        If there is none, or if ``"auto"`` or ``"all"`` is one of several.
    """
    if isinstance(wanted, torch.device):
        return (wanted,)
    if isinstance(wanted, str):
        each: list[str | torch.device] = [name.strip() for name in wanted.split(",")]
    else:
        each = list(wanted)
    if each == [ALL]:
        return tuple(all_gpus())
    for alone in ("auto", ALL):
        if alone in each and len(each) > 1:
            raise ValueError(
                f"device {alone!r} stands beside others in {_listed(each)}: name each device, as "
                "in cuda:0,cuda:1"
            )
    if not each or "" in each:
        raise ValueError(f"device {_listed(each)!r} leaves one out: use auto, or name each device")
    return tuple(each)


def all_gpus() -> list[str]:
    """Name every CUDA GPU of this machine.

    Raises
    ------
    ValueError
        If there is none.
    """
    names = [device.name for device in available_devices()]
    gpus = [name for name in names if name.startswith("cuda")]
    if not gpus:
        raise ValueError(f"device {ALL!r}: this machine has no CUDA GPU: use {_either(names)}")
    return gpus


def _listed(devices: Sequence[str | torch.device]) -> str:
    return ",".join(map(str, devices))


def _cuda_free(index: int) -> int | None:
    try:
        return int(torch.cuda.mem_get_info(index)[0])
    except RuntimeError:
        # another program has all of the device's memory, or has it to itself
        return None


def _either(names: list[str]) -> str:
    return ", ".join(["auto", *names[:-1]]) + f" or {names[-1]}"
