"""What a run would take, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_tessera.cli.describing import bytes_text


def estimate_text(facts: Mapping[str, Any]) -> str:
    """The facts of the event ``estimate`` as lines."""
    lines = {
        "output": _output(facts),
        "tiles": _tiles(facts),
        "time": _time(facts),
        "measured": _measured(facts),
        "disk": _disk(facts),
    }
    told = "\n".join(f"{name:<11}{text}" for name, text in lines.items() if text)
    return f"{told}\ndry run: nothing was written"


def _output(facts: Mapping[str, Any]) -> str:
    n = facts["images"]
    return f"{facts['output']}" + (f", {n} images" if n != 1 else "")


def _tiles(facts: Mapping[str, Any]) -> str:
    text = f"{facts['tiles']:,}"
    if facts["tiles_done"]:
        text += f", of which {facts['tiles_done']:,} are done"
    if facts["blocks"] is not None:
        text += f", in {facts['blocks']:,} {'block' if facts['blocks'] == 1 else 'blocks'}"
    return text


def _time(facts: Mapping[str, Any]) -> str:
    text = f"about {duration_text(facts['seconds'])}"
    workers = facts["workers"]
    if workers is not None:
        threads = facts["threads_per_worker"]
        each = "" if threads is None else f" of {threads} {'thread' if threads == 1 else 'threads'}"
        text += (
            f" with {workers} {'worker' if workers == 1 else 'workers'}{each}, if each is as fast "
            "as what was measured"
        )
    return text


def _measured(facts: Mapping[str, Any]) -> str:
    n, threads = facts["measured_tiles"], facts["measured_threads"]
    where = ", ".join(facts["measured_on"])
    if threads is not None:
        where += f" with {threads} {'thread' if threads == 1 else 'threads'}"
    return (
        f"{n:,} {'tile' if n == 1 else 'tiles'} in {facts['measured_seconds']:.3g} s on {where} of "
        "this computer, read, predicted and packed"
    )


def _disk(facts: Mapping[str, Any]) -> str:
    text = (
        f"about {bytes_text(facts['disk_bytes'])}, as those tiles take "
        f"{facts['stored_share']:.0%} of their pixels"
    )
    if facts["disk_peak_bytes"] > facts["disk_bytes"]:
        text += f" (up to {bytes_text(facts['disk_peak_bytes'])} while it runs)"
    free = facts["free_bytes"]
    return text + ("" if free is None else f"; {bytes_text(free)} are free there")


def duration_text(seconds: float) -> str:
    """A time as people read it: no finer than it is known."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
