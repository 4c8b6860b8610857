"""Where the pixels of an output layer are: in memory, or on disk where they do not fit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import psutil

from napari_tessera.prediction import PredictionPlan
from napari_tessera.region import Region
from napari_tessera.widgets.disk_room import check_room_to_save, check_room_to_wait
from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.fields.text import bytes_text
from napari_tessera.widgets.live_levels import kept_bytes
from napari_tessera.widgets.memory_store import MemoryStore
from napari_tessera.widgets.rgb import Colours
from napari_tessera.widgets.save_target import ResolvedTarget

Store = MemoryStore | DiskStore
"""Where an output is; each is a write strategy for the engine."""

MEMORY_SHARE = 0.5
"""Share of the free memory that an output may take."""


PREVIEW_BYTES = 2**29
"""Size up to which a preview is held as a part of the whole output, so that others add to it.

Filling a larger one with NaN would keep people waiting for their first tile.
"""


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


def choose_store(
    plan: PredictionPlan, rgb_channels: int | None = None, besides: int = 0
) -> StoreChoice:
    """Decide where an output goes: into memory where it takes at most half of what is free.

    A preview of an image too large for that is held by itself, and shown in its place.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    rgb_channels : int, optional
        3 or 4 where the output is shown in colours, uint8.
    besides : int
        Bytes that go into memory with it.
    """
    available = psutil.virtual_memory().available * MEMORY_SHARE - besides
    whole = available if plan.region.is_full else min(available, PREVIEW_BYTES)
    for kind, shape, limit in (
        ("whole", plan.layout.output_shape, whole),
        ("area", plan.region.selected_shape, available),
    ):
        n_bytes = _n_bytes(plan.layout.output_axes, shape, rgb_channels)
        if n_bytes <= limit:
            return StoreChoice(kind, n_bytes)
    return StoreChoice("disk", plan.output_bytes)


def waits_text(
    plan: PredictionPlan, colours: Colours | None = None, save: ResolvedTarget | None = None
) -> str:
    """Say where an output is kept that does not fit into memory; empty where it does, or is saved.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    colours : Colours, optional
        How rgb is made, for an output shown in colours.
    save : ResolvedTarget, optional
        Where the output is saved.
    """
    n_colours = colours.n if colours else None
    choice = choose_store(plan, n_colours, own_bytes(plan, n_colours, save))
    if choice.kind != "disk" or (save is not None and save.while_running):
        return ""
    until = "as long as its layer is open" if save is None else f"until {save.path.name} is written"
    return (
        f"{bytes_text(choice.n_bytes)} are more than half of the free memory: kept in "
        f"{tempfile.gettempdir()} {until}."
    )


def make_store(
    plan: PredictionPlan,
    letters: str,
    colours: Colours | None = None,
    reusable: MemoryStore | None = None,
    save: ResolvedTarget | None = None,
) -> Store:
    """Make room for an output, or get what is there ready. Takes time: not for the GUI thread.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    letters : str
        Letters of the input layer's dimensions.
    colours : Colours, optional
        How rgb is made, for an output shown in colours.
    reusable : MemoryStore, optional
        Output of an earlier preview; its pixels stay where an error is raised.
    save : ResolvedTarget, optional
        Where the output is saved. What does not fit into memory is shown from there: one copy on
        disk is enough.

    Raises
    ------
    PlanError
        If the disk to save to has no room (field ``"save"``), or neither memory nor the temporary
        folder has (field ``"area"``).
    """
    if save is not None:
        check_room_to_save(plan, save)
    if reusable is not None and reusable.colours == colours and reusable.take(plan):
        return reusable
    n_colours = colours.n if colours else None
    choice = choose_store(plan, n_colours, own_bytes(plan, n_colours, save))
    if choice.kind == "whole":
        whole = Region.from_selection(plan.layout.output_axes, plan.layout.output_shape)
        return MemoryStore(plan, whole, letters, colours)
    if choice.kind == "area":
        return MemoryStore(plan, plan.region, letters, colours)
    if save is not None and save.while_running:
        return DiskStore(plan, letters, colours, save=save)
    check_room_to_wait(plan, save)
    return DiskStore(plan, letters, colours)


def own_bytes(plan: PredictionPlan, rgb_channels: int | None, save: ResolvedTarget | None) -> int:
    """Bytes that a file which is written when all is done needs besides an output in memory.

    It holds other pixels than the layer where that shows colours of 8 bits, or the file has not
    the layer's float32.
    """
    if save is None or save.while_running:
        return 0
    return 0 if rgb_channels is None and plan.output_dtype == "float32" else plan.output_bytes


def _n_bytes(axes: str, shape: Sequence[int], rgb_channels: int | None) -> int:
    """Bytes of an output in memory, with the smaller levels that a large plane is shown by."""
    itemsize = 4
    if rgb_channels:
        shape, itemsize = (*shape[:-1], rgb_channels), 1
    return prod(shape) * itemsize + kept_bytes(axes, shape, itemsize)
