"""Numbers and names in the words and units that people read in the dock."""

from __future__ import annotations

from collections.abc import Sequence

_PEOPLES_WORDS = (
    ("patch sizes", "tile sizes"),
    ("patch size", "tile size"),
    ("patch", "tile"),
    ("no multiple of the alignment", "no multiple of the model's step of"),
    ("alignment", "step"),
    ("the normalization 'none'", "the intensity range none"),
    ("builtin:denoise2d", "the built-in model"),
)


def image_summary(axes: str, shape: Sequence[int], dtype: str) -> str:
    """Axes, sizes and dtype of an image: ``"T60 Z21 Y2048 X2048 · uint16"``."""
    sizes = " ".join(f"{letter}{size}" for letter, size in zip(axes, shape, strict=True))
    return f"{sizes} · {dtype}"


def sizes_text(sizes: Sequence[int]) -> str:
    """Tile sizes (Z)YX: ``"256×256"``."""
    return "×".join(str(size) for size in sizes)


def overlap_text(overlaps: Sequence[int]) -> str:
    """Overlaps (Z)YX: one number where all are alike, else ``"16×48×48"``."""
    return str(overlaps[0]) if len(set(overlaps)) == 1 else sizes_text(overlaps)


def duration_text(seconds: float) -> str:
    """A time to wait, rounded as people say it: ``"4 s"``, ``"3 min"``, ``"2 h"``, ``"5 days"``."""
    if seconds < 1:
        return "1 s"
    if seconds < 59.5:
        return f"{round(seconds)} s"
    if seconds < 3570:
        return f"{round(seconds / 60)} min"
    if seconds < 35 * 3600:
        hours = seconds / 3600
        return f"{hours:.1f} h" if hours < 9.95 and round(hours, 1) % 1 else f"{round(hours)} h"
    return f"{round(seconds / 86400)} days"


def bytes_text(size: float) -> str:
    """An amount of memory in decimal units, two digits: ``"640 MB"``, ``"2.1 GB"``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    digits = 1 if size < 9.95 and unit not in ("B", "kB") else 0
    return f"{size:.{digits}f} {unit}"


def unbroken_percent(text: str) -> str:
    """Text in which a number stays with its % where the line is narrow."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def in_peoples_words(message: str) -> str:
    """A message of the engine with the dock's words: tile for patch, step for alignment."""
    for engine, people in _PEOPLES_WORDS:
        message = message.replace(engine, people)
    return message
