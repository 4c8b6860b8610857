"""What was found fastest with a model on a device, kept beside what was measured of the model.

It is a suggestion: automatic sizes never look at it, so that they stay the same on a machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.cache import Facts
from napari_tessera.prediction.tuning.best_tiles import Tuned


@dataclass(frozen=True)
class Remembered:
    """Sizes that were the fastest.

    Parameters
    ----------
    patch_size : tuple of int
        Tile size along (Z)YX, in pixels.
    batch_size : int
        Tiles that go through the model at once.
    pixels_per_second : float
        Pixels of cores.
    """

    patch_size: tuple[int, ...]
    batch_size: int
    pixels_per_second: float


def remember(sha256: str, device: str, precision: str, tuned: Tuned) -> None:
    """Keep what was found; nothing happens where it cannot be kept.

    Parameters
    ----------
    sha256 : str
        Hash of the model. One that lives in Python has none that is sure: leave it out there.
    device, precision : str
        Where it runs, and the type of number that it computes with.
    tuned : Tuned
        What was found.
    """
    found = {
        "patch_size": list(tuned.patch_size),
        "batch_size": tuned.batch_size,
        "pixels_per_second": tuned.pixels_per_second,
    }
    _facts(sha256).put(_name(device, precision, len(tuned.patch_size)), found)


def remembered(sha256: str, device: str, precision: str, dims: int) -> Remembered | None:
    """What was found before; None where nothing was, or what was kept is damaged.

    Parameters
    ----------
    sha256, device, precision
        As for `remember`.
    dims : int
        2 for tiles of planes, 3 for those of volumes.
    """
    found = _facts(sha256).get(_name(device, precision, dims))
    if not isinstance(found, dict):
        return None
    patch, batch = found.get("patch_size"), found.get("batch_size")
    speed = found.get("pixels_per_second")
    if not isinstance(patch, list) or len(patch) != dims or not all(map(_is_size, [*patch, batch])):
        return None
    if not isinstance(speed, float) or not speed > 0:
        return None
    return Remembered(tuple(map(int, patch)), int(found["batch_size"]), speed)


def _facts(sha256: str) -> Facts:
    return Facts(f"{sha256}-tuned")


def _name(device: str, precision: str, dims: int) -> str:
    return f"{dims}D {device} {precision}"


def _is_size(number: object) -> bool:
    return type(number) is int and number > 0
