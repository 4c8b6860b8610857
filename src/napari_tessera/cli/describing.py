"""``napari-tessera info``: what an input is, without reading its pixels."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_tessera.cli.reporting import table

if TYPE_CHECKING:
    from napari_tessera.stacks import ImageStack
    from napari_tessera.writing import StoredRun

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


def describe_stack(stack: ImageStack) -> dict[str, Any]:
    """Facts about a stack as plain values.

    Parameters
    ----------
    stack : ImageStack
        The image.

    Returns
    -------
    dict
        ``source``, ``series`` and ``n_series`` (which image of how many in its file; None where
        that is not known), ``axes``, ``axes_guessed`` (whether the shape told them, as nothing
        names them), ``shape``, ``dtype``, ``chunks`` (None: none), ``bytes`` (uncompressed),
        ``n_levels`` (resolution levels, the full size included; None where there are none),
        ``scale``, ``units``, ``translation`` (one entry per axis, None where unknown),
        ``channel_names`` (None where unknown), ``left_out_channels`` (those of the file that are
        alpha and not read), ``absent_chunks`` (how many chunks, shards, strips or tiles are not in
        the store or file), ``absent_name`` (which of these, as text) and ``fill_value`` (what these
        read as, as text; these three None where there is no such store, or counting would take
        long), ``skipped_tiles`` (of a result: how many tiles its run left out, as they are outside
        the shapes or the mask; None of what is no result) and ``unfinished`` (None, or of a result
        that is: see `unfinished_run`).
    """
    from napari_tessera.stacks import read_metadata

    metadata = read_metadata(stack)
    shape = [int(size) for size in stack.original_data_shape]
    chunks = getattr(stack, "chunks", None)
    dtype = np.dtype(stack.data_dtype)
    run = _stored_run(stack)
    counted = getattr(stack, "count_absent", lambda: None)()

    def listed(values: tuple[Any, ...] | None) -> list[Any] | None:
        return None if values is None else list(values)

    return {
        "source": str(stack.source),
        "series": getattr(stack, "series", None),
        "n_series": getattr(stack, "n_series", None),
        "axes": stack.original_axes,
        "axes_guessed": bool(getattr(stack, "axes_guessed", False)),
        "shape": shape,
        "dtype": str(dtype),
        "chunks": listed(chunks),
        "bytes": prod(shape) * dtype.itemsize,
        "n_levels": getattr(stack, "n_levels", None),
        "scale": listed(metadata.scale),
        "units": listed(metadata.units),
        "translation": listed(metadata.translation),
        "channel_names": listed(metadata.channel_names),
        "left_out_channels": list(getattr(stack, "left_out_channels", ())),
        "absent_chunks": None if counted is None else counted[0],
        "absent_name": None if counted is None else getattr(stack, "absent_name", "chunk"),
        "fill_value": None if counted is None else str(getattr(stack, "fill_value", None)),
        "skipped_tiles": None if run is None else run.skipped_tiles,
        "unfinished": None if run is None else unfinished_run(run, stack.source),
    }


def unfinished_run(run: StoredRun, source: str) -> dict[str, Any] | None:
    """How far the run is whose result an image is; None of one that is finished.

    Parameters
    ----------
    run : StoredRun
        What the store says of it.
    source : str
        Where the image comes from.

    Returns
    -------
    dict or None
        ``tiles_done`` and ``tiles``, ``state`` (``"stopped"``, or ``"writing"`` of a run that goes
        on or was killed) and ``resumable``.
    """
    if run.completed:
        return None
    return {
        "tiles_done": run.n_done,
        "tiles": run.total_tiles,
        "state": run.state,
        "resumable": "#" not in source,
    }


def _stored_run(stack: ImageStack) -> StoredRun | None:
    """The run whose result an image is; None of what is no result of ours."""
    from napari_tessera.stacks import ZarrStack
    from napari_tessera.writing import read_unfinished

    if not isinstance(stack, ZarrStack):
        return None
    # the array of the full size is in the group that is asked for
    packed, _, inside = stack.source.partition("#")
    try:
        return read_unfinished(packed if inside else stack.source.rpartition("/")[0])
    except (OSError, ValueError):
        return None


def as_text(facts: dict[str, Any]) -> str:
    """The facts as lines for people; what is unknown is left out."""
    lines = {
        "source": facts["source"],
        "image": _which(facts),
        "axes": _axes(facts),
        "shape": _times(facts["shape"]),
        "dtype": facts["dtype"],
        "size": bytes_text(facts["bytes"]),
        "chunks": _times(facts["chunks"]) if facts["chunks"] else None,
        "levels": _levels(facts),
        "pixel size": _steps(facts),
        "position": _position(facts),
        "channels": ", ".join(facts["channel_names"]) if facts["channel_names"] else None,
        "left out": _left_out(facts),
        "absent": _absent(facts),
        "skipped": _skipped(facts),
        "unfinished": _unfinished(facts),
    }
    return table(lines, 11)


def _axes(facts: dict[str, Any]) -> str:
    guessed = " (guessed from the shape: give --axes where they are others)"
    return f"{facts['axes']}{guessed if facts['axes_guessed'] else ''}"


def _unfinished(facts: dict[str, Any]) -> str | None:
    """``35 of 105 tiles are done; …``: how the rest comes; None of what is whole."""
    run = facts["unfinished"]
    if run is None:
        return None
    text = f"{run['tiles_done']:,} of {run['tiles']:,} tiles are done"
    if not run["resumable"]:
        return f"{text}, and cannot be gone on with (only a .ome.zarr folder can)"
    if run["state"] != "stopped":
        text += " by a run that goes on, or was killed"
    return f"{text}; the predict command that began it goes on with --resume"


def _which(facts: dict[str, Any]) -> str | None:
    """``1 of 3`` and how to get the others; None of a file with one image."""
    count = facts["n_series"]
    if count is None or count < 2:
        return None
    return f"{facts['series'] + 1} of {count} (others: #0…#{count - 1} behind the path)"


def _times(sizes: list[int]) -> str:
    return " × ".join(map(str, sizes))


def _steps(facts: dict[str, Any]) -> str | None:
    """``T 30 second, Y 0.108 micrometer``: axes whose step or unit is known."""
    scale = facts["scale"] or [1.0] * len(facts["axes"])
    units = facts["units"] or [None] * len(facts["axes"])
    known = [
        f"{letter} {step:g} {unit or '(no unit)'}"
        for letter, step, unit in zip(facts["axes"], scale, units, strict=True)
        if unit or step != 1.0
    ]
    return ", ".join(known) or None


def _levels(facts: dict[str, Any]) -> str | None:
    """``3 (…)``; None of an image that has the full size alone."""
    count = facts["n_levels"]
    return None if count is None or count < 2 else f"{count}, the full size included"


def _position(facts: dict[str, Any]) -> str | None:
    """``Z 12 micrometer, X -3 (no unit)``: axes that do not begin at 0."""
    units = facts["units"] or [None] * len(facts["axes"])
    moved = [
        f"{letter} {start:g} {unit or '(no unit)'}"
        for letter, start, unit in zip(
            facts["axes"], facts["translation"] or [], units, strict=False
        )
        if start
    ]
    return ", ".join(moved) or None


def _skipped(facts: dict[str, Any]) -> str | None:
    """How many tiles were left out as asked, so that what is absent is no damage; None of none."""
    count = facts["skipped_tiles"]
    if not count:
        return None
    tiles = "1 tile lies" if count == 1 else f"{count:,} tiles lie"
    return f"{tiles} outside the shapes or the mask that the run was given"


def _left_out(facts: dict[str, Any]) -> str | None:
    """``channel 3 (alpha)``; None where all channels are taken."""
    channels = facts["left_out_channels"]
    return f"channel {', '.join(map(str, channels))} (alpha)" if channels else None


def _absent(facts: dict[str, Any]) -> str | None:
    """``3 chunks (read as 0)``, ``1 tile (read as 0)``; None where none is absent, or known."""
    count = facts["absent_chunks"]
    if not count:
        return None
    name = facts["absent_name"]
    return f"{count:,} {name if count == 1 else name + 's'} (read as {facts['fill_value']})"


def bytes_text(size: int) -> str:
    """A number of bytes as people read it."""
    if size < 1000:
        return f"{size} bytes"
    # integers, because a product of sizes may be beyond any NumPy integer, and any float
    size = round(size, 3 - len(str(size)))
    power = (len(str(size)) - 1) // 3
    if power >= len(_UNITS):
        return f"more than 999 {_UNITS[-1]}"
    return f"{size / 1000**power:.3g} {_UNITS[power]}"
