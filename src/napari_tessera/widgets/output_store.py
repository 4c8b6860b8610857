"""Where the pixels of an output layer are: in memory, or on disk where they do not fit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import psutil

from napari_tessera.prediction import PlanError, PredictionPlan
from napari_tessera.region import Region
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.fields.text import bytes_text
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.rgb import Colours

Store = MemoryStore | DiskStore
"""Where an output is; each is a write strategy for the engine."""

MEMORY_SHARE = 0.5
"""Share of the free memory that an output may take."""


@dataclass(frozen=True)
class StoreChoice:
    """Where an output will be, decided before anything is allocated.

    Parameters
    ----------
    kind : {"whole", "area", "disk"}
        In memory with the shape of the image; in memory with that of the area; on disk.
    n_bytes : int
        Size in memory, or uncompressed on disk.
    """

    kind: str
    n_bytes: int


def choose_store(plan: PredictionPlan, rgb_channels: int | None = None) -> StoreChoice:
    """Decide where an output goes: into memory where it takes at most half of what is free.

    A preview of an image too large for that is held by itself, and shown in its place.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    rgb_channels : int, optional
        3 or 4 where the output is shown in colours, uint8.
    """
    available = psutil.virtual_memory().available * MEMORY_SHARE
    for kind, shape in (
        ("whole", plan.layout.output_shape),
        ("area", plan.region.selected_shape),
    ):
        n_bytes = _n_bytes(shape, rgb_channels)
        if n_bytes <= available:
            return StoreChoice(kind, n_bytes)
    return StoreChoice("disk", _n_bytes(plan.region.selected_shape, None))


def make_store(
    plan: PredictionPlan,
    letters: str,
    colours: Colours | None = None,
    reusable: MemoryStore | None = None,
) -> Store:
    """Make room for an output, or get what is there ready. Takes time: not for the GUI thread.

    Raises
    ------
    PlanError
        If neither memory nor the temporary folder has room; its field is ``"area"``.
    """
    if reusable is not None and reusable.colours == colours and reusable.take(plan):
        return reusable
    choice = choose_store(plan, colours.n if colours else None)
    if choice.kind == "whole":
        whole = Region.from_selection(plan.layout.output_axes, plan.layout.output_shape)
        return MemoryStore(plan, whole, letters, colours)
    if choice.kind == "area":
        return MemoryStore(plan, plan.region, letters, colours)
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if choice.n_bytes > free:
        raise PlanError(
            f"the result takes {bytes_text(choice.n_bytes)}: more than half of the free memory, "
            f"and {folder} has {bytes_text(free)}; choose a smaller area, or make room",
            "area",
        )
    return DiskStore(plan, letters, colours)


def _n_bytes(shape: Sequence[int], rgb_channels: int | None) -> int:
    return prod(shape[:-1]) * rgb_channels if rgb_channels else prod(shape) * 4
