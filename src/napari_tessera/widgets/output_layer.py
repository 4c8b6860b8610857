"""The layer that shows an output: made like its input, found again, never in its way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import Affine, CompositeAffine

from napari_tessera.region import Region

if TYPE_CHECKING:
    from napari.components import ViewerModel

PLAN_KEY = "napari_tessera"
"""Where ``layer.metadata`` has the plan, as JSON text."""

INPUT_KEY = "napari_tessera_input"
"""Where ``layer.metadata`` has the unique id of the input layer."""

PREVIEW_KEY = "napari_tessera_preview"
"""Where ``layer.metadata`` says whether only a part was asked for: the next run reuses it."""

OUTPUT_KEY = "napari_tessera_output"
"""Where the ``layer.metadata`` of removed noise has the unique id of the output layer."""

GUIDE_KEY = "napari_tessera_guide"
"""What ``layer.metadata`` has where a layer only guides the eye: it is nothing to be saved."""


@dataclass(frozen=True)
class OutputKind:
    """What sort of quantity an output layer shows.

    Parameters
    ----------
    suffix : str
        What its name ends in, after the input's.
    look : mapping or None
        How it looks where it differs from its input; None for just like it, grey levels.
    says : mapping
        What its metadata say besides.
    """

    suffix: str
    look: Mapping[str, Any] | None = None
    says: Mapping[str, Any] = field(default_factory=dict)


DENOISED = OutputKind("_denoised")


def output_name(layer: Image, kind: OutputKind = DENOISED) -> str:
    """Name of a layer's output; the viewer numbers a second one."""
    return f"{layer.name}{kind.suffix}"


def find_preview(viewer: ViewerModel, layer: Image, kind: OutputKind = DENOISED) -> Image | None:
    """Find the output layer of an earlier preview of a layer, which the next run reuses.

    One that was given another name was put aside and is not reused.
    """
    for candidate in viewer.layers:
        if candidate.metadata.get(INPUT_KEY) != layer.unique_id:
            continue
        if not candidate.name.startswith(output_name(layer, kind)):
            continue
        if candidate.metadata.get(PREVIEW_KEY):
            found: Image = candidate
            return found
    return None


def placement(layer: Image, letters: str, axes: str, held: Region) -> dict[str, Any]:
    """Where an output lies in the world: exactly on its input.

    Parameters
    ----------
    layer : napari.layers.Image
        The input layer.
    letters : str
        Letters of its dimensions.
    axes : str
        Letters of the output layer's dimensions: the input's, others before them.
    held : Region
        The part of the output that the layer shows; its first pixel need not be the input's.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units``, ``axis_labels``.
    """
    extra = [i for i, letter in enumerate(axes) if letter not in letters]
    physical = CompositeAffine(
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        ndim=layer.ndim,
    ).expand_dims(extra)
    start = np.array([held.along(letter)[0] for letter in axes], float)
    own = Affine(affine_matrix=layer.affine.affine_matrix, ndim=layer.ndim)
    return {
        "scale": physical.scale,
        "translate": physical.translate + physical.linear_matrix @ start,
        "rotate": physical.rotate,
        "shear": physical.shear,
        "affine": own.expand_dims(extra).affine_matrix,
        "units": ("pixel",) * len(extra) + tuple(layer.units),
        "axis_labels": tuple(axes[i].lower() for i in extra) + tuple(layer.axis_labels),
    }


def appearance(viewer: ViewerModel, layer: Image, rgb: bool) -> dict[str, Any]:
    """How an output looks: like its input, contrast limits included.

    An additive layer over its own input would show their sum, so that it is additive only where
    other images are mixed with it.
    """
    others = [
        other
        for other in viewer.layers
        if other is not layer
        and isinstance(other, Image)
        and other.visible
        and PLAN_KEY not in other.metadata
    ]
    blending = str(layer.blending)
    if blending == "additive" and not others:
        blending = "translucent_no_depth"
    look: dict[str, Any] = {
        "blending": blending,
        "gamma": layer.gamma,
        "interpolation2d": str(layer.interpolation2d),
        "interpolation3d": str(layer.interpolation3d),
        "rendering": str(layer.rendering),
    }
    if not rgb and not layer.rgb:
        look["colormap"] = layer.colormap
        look["contrast_limits"] = tuple(layer.contrast_limits)
    return look


def add_output_layer(
    viewer: ViewerModel,
    layer: Image,
    data: Any,
    name: str,
    place: dict[str, Any],
    look: dict[str, Any],
    *,
    rgb: bool = False,
) -> Image:
    """Add a layer above its input and what was made of it before: what is new is seen.

    What is selected stays selected.
    """
    by_levels = isinstance(data, list)
    output = Image(data, name=name, rgb=rgb, multiscale=by_levels, **place, **look)
    if "contrast_limits" in look and not layer.rgb:
        low, high = layer.contrast_limits_range
        limits = look["contrast_limits"]
        output.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
    at = _above(viewer, layer)
    with selection_kept(viewer):
        viewer.layers.insert(at, output)
    return output


def replace_layer(
    viewer: ViewerModel, old: Image, data: Any, place: dict[str, Any], metadata: dict[str, Any]
) -> Image:
    """Put a layer in the place of one that cannot show its data.

    A layer cannot change from one picture to levels or back. The new one takes over name, place
    in the list, selection, look and visibility; what was computed from the old one belongs to it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    old : napari.layers.Image
        The layer that goes; of as many dimensions, and rgb where the new one is.
    data : array-like or list of array-like
        What the new one shows; levels in a list.
    place : dict
        Where it lies, as `placement` tells.
    metadata : dict
        What its metadata say besides the old one's.
    """
    state = old.as_layer_data_tuple()[1]
    # That of the old data: it may not exist in the new.
    state.pop("locked_data_level", None)
    state |= {**place, "multiscale": isinstance(data, list)}
    state["metadata"] = {**old.metadata, **metadata}
    new = Image(data, **state)
    if not old.rgb:
        new.contrast_limits_range = old.contrast_limits_range
        new.contrast_limits = old.contrast_limits
    for other in viewer.layers:
        if other.metadata.get(OUTPUT_KEY) == old.unique_id:
            other.metadata[OUTPUT_KEY] = new.unique_id
    selection = viewer.layers.selection
    chosen, active = old in selection, selection.active is old
    with selection_kept(viewer):
        # Added before the old one goes: with it an axis of the viewer, and its slider, might go.
        viewer.layers.insert(viewer.layers.index(old) + 1, new)
    if chosen:
        selection.add(new)
    name = old.name
    viewer.layers.remove(old)
    new.name = name
    if active:
        selection.active = new
    return new


def _above(viewer: ViewerModel, layer: Image) -> int:
    """Place above a layer, its outputs, and the removed noise of either."""
    made = {layer.unique_id} | {
        other.unique_id
        for other in viewer.layers
        if other.metadata.get(INPUT_KEY) == layer.unique_id
    }
    places = [
        i
        for i, other in enumerate(viewer.layers)
        if other.unique_id in made or other.metadata.get(OUTPUT_KEY) in made
    ]
    return max(places) + 1 if places else len(viewer.layers)


@contextmanager
def selection_kept(viewer: ViewerModel) -> Iterator[None]:
    """Let the list of layers change without changing, even for a moment, what is selected."""
    selection = viewer.layers.selection
    chosen = set(selection)
    with selection.events.blocker_all():
        yield
        selection.difference_update(set(selection) - chosen)
        selection.update(layer for layer in chosen if layer in viewer.layers)
