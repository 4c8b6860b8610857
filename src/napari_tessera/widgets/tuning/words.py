"""What is told of tiles that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.prediction.tuning.best_tiles import Tuned
    from napari_tessera.prediction.tuning.remembered import Remembered


def tuned_text(tuned: Tuned) -> str:
    """What was gained: ``"256 × 256 → 448 × 448: 1.3 × faster here; 8.1 → 10.5 MP/s"``."""
    before = tuned.before
    now = speed_text(tuned.pixels_per_second)
    told = tiles_text(tuned.patch_size, tuned.batch_size)
    if before is None:
        return f"{told} is the fastest here: {now} MP/s"
    if tuned.best == before and len(tuned.table) == 1 and tuned.left_out:
        return f"Time or memory is short for any other tiles than {told}: {now} MP/s"
    if tuned.best == before:
        return f"{told} is the fastest here already: {now} MP/s"
    was = speed_text(before.pixels_per_second)
    return (
        f"{tiles_text(before.patch_size, before.batch_size)} → {told}: "
        f"{unbroken(f'{tuned.gain:.2g} × as')} fast here; {was} → {now} MP/s"
    )


def suggestion_text(found: Remembered) -> str:
    """What an earlier measuring found."""
    told = tiles_text(found.patch_size, found.batch_size)
    return f"Tuned before: {told}, {speed_text(found.pixels_per_second)} MP/s"


def tiles_text(patch_size: Sequence[int], batch_size: int) -> str:
    """Tile size, and batch where there is more than one tile in it: ``"256 × 256, batch 4"``."""
    size = unbroken(" × ".join(map(str, patch_size)))
    return size if batch_size == 1 else f"{size}, batch {batch_size}"


def speed_text(pixels_per_second: float) -> str:
    """Megapixels a second, as many digits as mean something: ``"0.82"``, ``"8.1"``, ``"120"``."""
    megapixels = pixels_per_second / 1e6
    digits = 0 if megapixels >= 9.95 else 1 if megapixels >= 0.995 else 2
    return f"{megapixels:.{digits}f}"


def unbroken(text: str) -> str:
    """Text in which a number stays with its sign where the line is narrow."""
    return text.replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}")
