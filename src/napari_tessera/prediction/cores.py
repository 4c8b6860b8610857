"""How many cores this process may use, and how many threads read for a run."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")
"""Where Linux says what a container may take."""

MOST_READERS = 8
"""Threads that read at most: more hold memory, and wait for one another."""


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


def reading_threads(groups: Path = CONTROL_GROUPS) -> int:
    """Threads that read tiles where nobody says how many: one core is left to the window."""
    return max(1, min(usable_cores(groups) - 1, MOST_READERS))


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
