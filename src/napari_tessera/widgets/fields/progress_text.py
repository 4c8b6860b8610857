"""How far and how fast a run is, in the words of the progress row."""

from __future__ import annotations

from napari_tessera.widgets.fields.text import bytes_text, duration_text
from napari_tessera.widgets.reports import RunProgress
from napari_tessera.widgets.run_state import RUNNING, STOPPED, STOPPING

MODEL = "model"
_STAGES = {"read": "reading the image", MODEL: "the model", "write": "writing the result"}


def progress_text(progress: RunProgress, state: str, what: str = "") -> str:
    """``"6/12 tiles · 4 s left"``, ``"writing cells.ome.tif…"``, ``"Workers get ready…"``.

    With what runs before it, or the number of the layer where there are several.
    """
    what = what or layer_text(progress.layer_number, progress.n_layers)
    text = f"{what}{progress.done:,}/{progress.total:,} tiles"
    if progress.writing and state == STOPPED:
        return f"{text} · not written"
    if progress.writing and state != STOPPING:
        return f"writing {progress.writing}…"
    if progress.getting_ready and state == RUNNING:
        return f"{what}workers get ready…" if what else "Workers get ready…"
    if state == STOPPED:
        return f"{text} · stopped"
    if state == STOPPING:
        return f"{text} · stopping"
    if progress.seconds_left is None:
        return text
    return f"{text} · {duration_text(progress.seconds_left)} left"


def layer_text(number: int, of: int) -> str:
    """``"layer 2/3 · "``; empty for a single one."""
    return f"layer {number}/{of} · " if of > 1 else ""


def speed_text(progress: RunProgress) -> str:
    """Layer, tiles and megapixels per second, what takes longest, and memory of the device."""
    lines = [progress.layer]
    if progress.tiles_per_second is not None:
        lines.append(f"{progress.tiles_per_second:.2g} tiles/s")
    if progress.megapixels_per_second is not None:
        lines.append(f"{progress.megapixels_per_second:.2g} megapixels/s")
    if progress.getting_ready:
        lines.append("the workers of the cluster open image and model")
    elif progress.tiles_per_second is None and not progress.writing:
        lines.append("speed not measured yet: the first tiles take longer")
    if progress.bottleneck is not None:
        lines.append(f"takes longest: {_STAGES[progress.bottleneck]}")
    if progress.device_bytes is not None:
        lines.append(f"memory used on the GPU: {bytes_text(progress.device_bytes)}")
    return "\n".join(lines)


def held_up_text(progress: RunProgress | None, state: str) -> str:
    """What keeps the model waiting: ``"Reading the image takes longest: the model waits."``."""
    if progress is None or state != RUNNING or progress.bottleneck in (None, MODEL):
        return ""
    stage = _STAGES[progress.bottleneck]
    return f"{stage[0].upper()}{stage[1:]} takes longest: the model waits."
