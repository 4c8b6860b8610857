"""What is stored of a run beside its pixels: how it began, and how it ended."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from napari_tessera import __version__
from napari_tessera.writing.run_info import RunInfo

ATTRIBUTE = "napari_tessera"
"""Attribute of the image's group, or of an array, that holds all of it."""

WRITING: Final = "writing"
"""State of a run that goes on, or was killed."""
STOPPED: Final = "stopped"
FINISHED: Final = "finished"

SKIPPED_TILES = "skipped_tiles"
"""Entry of the attribute: number of tiles that are never predicted."""

BLOCKS = "blocks"
"""Entry of the attribute while several processes write: how the image is cut, and `RUN`."""

RUN = "run"
"""Entry of `BLOCKS`: a name of the run that writes, another one each time it goes on."""

_PACKAGES = ("numpy", "torch", "zarr")


def run_attributes(
    run: RunInfo, *, axes: str | None = None, shape: Sequence[int] | None = None
) -> dict[str, Any]:
    """What is stored of a run when it starts.

    Parameters
    ----------
    run : RunInfo
        The run.
    axes, shape : str, sequence of int, optional
        Of the result as it is in memory; default: the run's region. On disk an OME-Zarr image has
        OME's order, with S and T as one axis.

    Returns
    -------
    dict
        JSON-able: ``version``, ``versions`` (of what decides the last bits), ``plan``,
        ``fingerprint``, ``model``, ``input``, ``started``, ``finished``, ``state``,
        ``completed``, ``total_tiles``, ``clipped_pixels``, ``axes``, ``shape``; and
        ``skipped_tiles``, their number, where there are any: then the ledger stays.
    """
    skipped = run.n_tiles - run.total_tiles
    return {
        "version": __version__,
        "versions": software_versions(),
        "plan": dict(run.plan),
        "fingerprint": run.fingerprint,
        "model": dict(run.model),
        "input": {
            "source": run.source,
            "axes": run.layout.axes,
            "shape": [int(size) for size in run.layout.shape],
            "dtype": run.input_dtype,
            "fingerprint": run.input_fingerprint,
            **({"files": _plain(run.input_files)} if run.input_files else {}),
        },
        "started": utc_now(),
        "finished": None,
        "state": WRITING,
        "completed": False,
        "total_tiles": run.total_tiles,
        **({SKIPPED_TILES: skipped} if skipped else {}),
        "clipped_pixels": 0,
        "axes": run.region.axes if axes is None else axes,
        "shape": [int(n) for n in (run.region.selected_shape if shape is None else shape)],
    }


def _plain(files: Mapping[str, tuple[int, int]]) -> dict[str, list[int]]:
    return {path: list(facts) for path, facts in files.items()}


def resumed_attributes(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The same when a run goes on: it is written to again, the rest is how it began."""
    return {**stored, "state": WRITING}


def ended_attributes(
    stored: Mapping[str, Any], *, completed: bool, clipped_pixels: int
) -> dict[str, Any]:
    """The same when a run ends.

    Parameters
    ----------
    stored : mapping
        What was stored of it.
    completed : bool
        Whether all is there.
    clipped_pixels : int
        Pixels clipped to the output's data type, those of earlier runs included.
    """
    return {
        **stored,
        "finished": utc_now() if completed else None,
        "state": FINISHED if completed else STOPPED,
        "completed": completed,
        "clipped_pixels": int(clipped_pixels),
    }


def made_by(
    plan: Mapping[str, Any],
    fingerprint: str,
    model: Mapping[str, Any],
    *,
    clipped_pixels: int,
) -> dict[str, Any]:
    """What is stored of a run in a file that is written when all is done.

    Parameters
    ----------
    plan : mapping
        The plan, JSON-able.
    fingerprint : str
        Of the plan.
    model : mapping
        Name, SHA-256 and licence of the model.
    clipped_pixels : int
        Pixels clipped to the file's data type.

    Returns
    -------
    dict
        JSON-able: ``version``, ``versions``, ``plan``, ``fingerprint``, ``model``,
        ``clipped_pixels`` and ``finished``, each as in `run_attributes`.
    """
    return {
        "version": __version__,
        "versions": software_versions(),
        "plan": dict(plan),
        "fingerprint": fingerprint,
        "model": dict(model),
        "clipped_pixels": int(clipped_pixels),
        "finished": utc_now(),
    }


def software_versions() -> dict[str, str]:
    """Versions of the packages that decide the last bits of a prediction, and of Python."""
    found = {"napari-tessera": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # writing needs no torch
            continue
    return found


def utc_now() -> str:
    """Date and time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
