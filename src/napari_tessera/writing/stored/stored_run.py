"""What a store says of the run that wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_tessera import __version__
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.ledger import read_done

ATTRIBUTE = "napari_tessera"
"""Attribute of the image's group that holds all of it."""


@dataclass(frozen=True)
class StoredRun:
    """A run as it stands in a store.

    Parameters
    ----------
    plan : mapping
        The plan it was started with.
    fingerprint : str
        Hash of what decides the pixels.
    completed : bool
        Whether it is finished.
    total_tiles : int
        Number of tiles of the plan.
    done : list of int
        Numbers of the tiles that are on disk.
    clipped_pixels : int
        Pixels clipped to the output's data type, counted when it was last closed.
    """

    plan: Mapping[str, Any]
    fingerprint: str
    completed: bool
    total_tiles: int
    done: list[int] = field(repr=False)
    clipped_pixels: int = 0


def run_attributes(run: RunInfo) -> dict[str, Any]:
    """What is stored of a run when it starts.

    ``axes`` and ``shape`` are those of the result as it is in memory; the array on disk has OME's
    order, with S and T as one axis.
    """
    return {
        "version": __version__,
        "plan": dict(run.plan),
        "fingerprint": run.fingerprint,
        "completed": False,
        "total_tiles": run.total_tiles,
        "clipped_pixels": 0,
        "axes": run.region.axes,
        "shape": [int(size) for size in run.region.selected_shape],
    }


def read_unfinished(path: str | Path) -> StoredRun | None:
    """Read what there is to go on with.

    Parameters
    ----------
    path : str or pathlib.Path
        A store that may or may not exist.

    Returns
    -------
    StoredRun or None
        The run that wrote the store (finished or not: ``completed`` tells); None where there is
        no store, or one that is not ours.
    """
    try:
        attributes = json.loads((Path(path) / "zarr.json").read_text(encoding="utf-8"))
        stored = attributes["attributes"][ATTRIBUTE]
        run = StoredRun(
            plan=dict(stored["plan"]),
            fingerprint=str(stored["fingerprint"]),
            completed=bool(stored["completed"]),
            total_tiles=int(stored["total_tiles"]),
            done=[],
            clipped_pixels=int(stored["clipped_pixels"]),
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    if run.completed:
        run.done.extend(range(run.total_tiles))
    else:
        ledger = read_done(zarr.open_group(LocalStore(Path(path)), mode="r"))
        run.done.extend(
            int(tile) for tile in np.flatnonzero(np.frombuffer(ledger or b"", np.uint8))
        )
    return run


def check_same_run(stored: Mapping[str, Any], run: RunInfo, where: Path) -> None:
    """Raise ValueError saying what differs unless a stored run has this one's fingerprint."""
    if stored.get("fingerprint") == run.fingerprint:
        return
    theirs, ours = _leaves(stored.get("plan", {})), _leaves(run.plan)
    missing = "nothing"
    differing = [
        f"{name} ({_short(theirs.get(name, missing))} there, {_short(ours.get(name, missing))} now)"
        for name in dict.fromkeys([*ours, *theirs])
        if theirs.get(name, missing) != ours.get(name, missing)
    ]
    what = ", ".join(differing[:3]) + (f" and {len(differing) - 3} more" if differing[3:] else "")
    raise ValueError(
        f"{where} cannot be resumed, it is of another run: {what or 'the image or the model'} "
        "differs; resume with the same settings, or replace it with --overwrite"
    )


def _leaves(plan: Any, name: str = "") -> dict[str, Any]:
    """Settings by name; the run settings, which decide no pixels, are left out."""
    if not isinstance(plan, Mapping):
        return {name: list(plan) if isinstance(plan, tuple) else plan}
    found: dict[str, Any] = {}
    for key, value in plan.items():
        if not name and key == "settings":
            continue
        part = "" if key == "fingerprint_of" else str(key)
        found.update(_leaves(value, f"{name}.{part}" if name and part else name or part))
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:36]} ..."
