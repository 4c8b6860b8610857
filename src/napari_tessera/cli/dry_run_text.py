"""What a run would take, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_tessera.cli.describing import bytes_text
from napari_tessera.cli.reporting import table


def estimate_text(facts: Mapping[str, Any]) -> str:
    """The facts of the event ``estimate`` as lines."""
    lines = {
        "output": _output(facts),
        "tiles": _tiles(facts),
        "time": _time(facts),
        "measured": _measured(facts),
        "disk": _disk(facts),
    }
    return f"{table(lines, 11)}\ndry run: nothing was written"


def _output(facts: Mapping[str, Any]) -> str:
    n = facts["images"]
    return _joined([facts["output"], f"{n} images" if n != 1 else ""])


def _tiles(facts: Mapping[str, Any]) -> str:
    done, blocks = facts["tiles_done"], facts["blocks"]
    return _joined(
        [
            f"{facts['tiles']:,}",
            f"{done:,} of them done" if done else "",
            "" if blocks is None else _counted(blocks, "block"),
        ]
    )


def _time(facts: Mapping[str, Any]) -> str:
    seconds, planning = facts["seconds"], facts["planning_seconds"]
    workers, threads = facts["workers"], facts["threads_per_worker"]
    shared = ""
    if workers is not None:
        each = "" if threads is None else f" of {_counted(threads, 'thread')}"
        shared = f"{_counted(workers, 'worker')}{each}, if each is as fast as what was measured"
    return _joined(
        [
            f"about {duration_text(seconds)}",
            f"{duration_text(planning)} of planning",
            f"{duration_text(max(0.0, seconds - planning))} of tiles",
            shared,
        ]
    )


def _measured(facts: Mapping[str, Any]) -> str:
    threads = facts["measured_threads"]
    where = ", ".join(facts["measured_on"])
    if threads is not None:
        where += f" with {_counted(threads, 'thread')}"
    return _joined(
        [
            f"{_counted(facts['measured_tiles'], 'tile')} in {facts['measured_seconds']:.3g} s",
            f"{where} of this computer",
            "read, predicted and packed",
        ]
    )


def _disk(facts: Mapping[str, Any]) -> str:
    size, most, free = facts["disk_bytes"], facts["disk_peak_bytes"], facts["free_bytes"]
    return _joined(
        [
            f"about {bytes_text(size)}, as those tiles take {facts['stored_share']:.0%} of their "
            "pixels",
            f"up to {bytes_text(most)} while it runs" if most > size else "",
            "" if free is None else f"{bytes_text(free)} are free there",
        ]
    )


def _joined(parts: Sequence[str]) -> str:
    """Facts that have nothing to do with each other, those that are empty left out."""
    return " · ".join(part for part in parts if part)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration_text(seconds: float) -> str:
    """A time as people read it: no finer than it is known."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{minutes:.2g} min" if minutes < 10 else f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
