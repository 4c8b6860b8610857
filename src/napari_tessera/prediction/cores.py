"""How many cores this process may use, and how many threads read and compute for a run."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model
    from napari_tessera.stacks import ImageStack

CONTROL_GROUPS = Path("/sys/fs/cgroup")
"""Where Linux says what a container may take."""

MOST_READERS = 8
"""Threads that read at most: more hold memory, and wait for one another."""

WAITING_READERS = 8
"""Threads that read what answers late, on however few cores: they wait, and take no core."""

MOST_THREADS = 1024
"""What may be asked for: OpenMP ends the process where the system has no more to give."""

LITTLE_WORK = 4096
"""Weights up to which a network is computed in one thread."""


def usable_cores(groups: Path = CONTROL_GROUPS) -> int:
    """Cores that this process may run on, at least 1.

    A batch job may be bound to a few of a machine's cores, and a container be given the time of a
    few: threads beyond these only wait.

    Parameters
    ----------
    groups : pathlib.Path
        Where the limits of containers stand; they are not known where there is no such folder.
    """
    allowed = getattr(os, "sched_getaffinity", None)
    cores = (os.cpu_count() or 1) if allowed is None else len(allowed(0))
    quota = _quota(groups)
    return max(1, cores if quota is None else min(cores, ceil(quota)))


def reading_threads(groups: Path = CONTROL_GROUPS, *, stack: ImageStack | None = None) -> int:
    """Threads that read tiles where nobody says how many: one core is left to the window.

    Parameters
    ----------
    groups : pathlib.Path
        As for `usable_cores`.
    stack : ImageStack, optional
        What they read. Of one that says that it ``waits``, as for a server, more requests are on
        their way at once.
    """
    if getattr(stack, "waits", False):
        return WAITING_READERS
    return max(1, min(usable_cores(groups) - 1, MOST_READERS))


def model_threads(model: Model | ChannelModels) -> int | None:
    """Threads of a model on a CPU where nobody says how many; None for torch's own choice.

    Several threads of a network that has next to nothing to compute spin while they wait for one
    another, on the cores that reading and writing need: ten times the time of one thread. What is
    counted decides, not a clock, so that a run gives the same bytes each time.

    Parameters
    ----------
    model : Model or ChannelModels
        The model; where each channel has one, all of them have to be that small.
    """
    models = getattr(model, "models", {0: model}).values()
    return 1 if all(_computes_little(one) for one in models) else None


def _computes_little(model: Model) -> bool:
    from torch import nn

    network = model.loaded.network
    if not isinstance(network, nn.Module):
        return False
    # Each weight is multiplied once a pixel at most, unless it is used again and again. Of what has
    # none (a frozen program has them among its constants) nothing is known.
    return 0 < sum(weight.numel() for weight in network.parameters()) <= LITTLE_WORK


def _quota(groups: Path) -> float | None:
    """Cores' worth of time that the control group grants; None for no limit, or an unknown one."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = " ".join((groups / name).read_text(encoding="ascii") for name in names).split()
            quota, period = (float(word) for word in words)
        except (OSError, ValueError):
            # not there, not for us, or "max": no limit
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
