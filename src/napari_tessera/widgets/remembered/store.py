"""The settings used last, kept in napari's settings of this plugin."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PLUGIN = "napari-tessera"
SECTION = "denoise"
"""Where napari's preferences have them: the key in the manifest's ``configurations``."""

_LOG = logging.getLogger(__name__)
_MOST_PIXELS = 1_000_000


@dataclass(frozen=True)
class LastSettings:
    """Settings of the last run; empty ones were left to the software.

    Parameters
    ----------
    model : str
        Path of a model's file, or the name of a built-in one.
    tile_size, overlap : tuple of int
        (Z)YX in pixels.
    device : str
        A torch device.
    cluster : str
        Address of a Dask scheduler; empty for this computer.
    """

    model: str = ""
    tile_size: tuple[int, ...] = ()
    overlap: tuple[int, ...] = ()
    device: str = ""
    cluster: str = ""


def recall() -> LastSettings:
    """What is remembered; what is damaged counts as not there."""
    with _section() as kept:
        if kept is not None:
            return LastSettings(
                str(kept.model),
                sizes_of(str(kept.tile_size)),
                sizes_of(str(kept.overlap)),
                str(kept.device),
                str(kept.cluster),
            )
    return LastSettings()


def remember(last: LastSettings) -> None:
    """Keep settings, for the next opening of the dock."""
    with _section() as kept:
        if kept is None:
            return
        # napari writes its file at each change that it is told of: here it is told of one.
        kept.update(
            {
                "model": last.model,
                "tile_size": json.dumps(last.tile_size) if last.tile_size else "",
                "overlap": json.dumps(last.overlap) if last.overlap else "",
                "device": last.device,
                "cluster": last.cluster,
            }
        )


def sizes_of(text: str) -> tuple[int, ...]:
    """Sizes (Z)YX out of a JSON list; none where it is no such list."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list) or len(found) not in (2, 3):
        return ()
    whole = [n for n in found if isinstance(n, int) and not isinstance(n, bool)]
    return tuple(whole) if len(whole) == len(found) and _in_bounds(whole) else ()


def _in_bounds(sizes: list[int]) -> bool:
    return all(0 <= size <= _MOST_PIXELS for size in sizes)


@contextmanager
def _section() -> Iterator[Any]:
    """Our part of napari's settings; None where this napari has none, or they cannot be read.

    Reading and writing them is worth no exception: napari raises whatever its file is damaged
    with, be it of another plugin, and cannot write where there is no room.
    """
    try:
        with warnings.catch_warnings():
            # napari tells what it did not understand of a file, and goes on without.
            warnings.simplefilter("ignore")
            from napari.settings import get_plugin_settings

            kept = getattr(get_plugin_settings(PLUGIN), SECTION, None)
    except Exception as error:
        _LOG.info("settings of %s cannot be read: %s", PLUGIN, error)
        kept = None
    try:
        yield kept
    except Exception as error:
        _LOG.info("settings of %s cannot be kept: %s", PLUGIN, error)
