"""What of an image goes to a model at once: planes or volumes, one channel or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_tessera import models
from napari_tessera.axes import check_channels
from napari_tessera.prediction.plan import PlanError
from napari_tessera.region import index_list
from napari_tessera.stacks import ImageStack

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model

Wanted = dict[str, slice | int | Sequence[int]]
"""A region as people ask for it, in the image's axes."""


def fold_and_channels(
    stack: ImageStack, model: Model | ChannelModels, selection: Wanted
) -> tuple[str, tuple[int, ...] | None, int | None]:
    """Find what is folded, the channels that go to the model, and the number that comes out.

    Parameters
    ----------
    stack : ImageStack
        The image, nothing folded.
    model : Model
        The model, or a model for each channel.
    selection : dict
        The region asked for. A selection of channels for a model that takes them together is
        taken out of it: it chooses input, not output. Where each channel has a model of its own,
        these channels are put into it.

    Returns
    -------
    fold : str
        Axes folded into samples: out of ``"ZC"``.
    input_channels : tuple of int or None
        Channels that go to the model together; None for all, or where each goes by itself.
    output_channels : int or None
        Channels that come out; None where C is folded or there is none.

    Raises
    ------
    PlanError
        If the model does not suit the image.
    """
    axes, shape = stack.original_axes, tuple(stack.original_data_shape)
    if model.spatial_dims == 3 and "Z" not in axes:
        time = f', or take time as depth: axes="{axes.replace("T", "Z")}"' if "T" in axes else ""
        raise PlanError(
            f"the model {model.name} is 3D (ZYX), the image {axes} has no Z: use a 2D model, or "
            f"name the depth axis Z{time}",
            "model",
        )
    if not model.geometry.keeps_size:
        # imported here: it loads torch, which naming this room must not
        from napari_tessera.models.sizing import other_scale

        why, way_out = other_scale(model.geometry.output_scale)
        raise PlanError(f"the model {model.name} cannot be used: {why}. {way_out}", "model")
    fold = "Z" if model.spatial_dims == 2 and "Z" in axes else ""
    n_channels = shape[axes.index("C")] if "C" in axes else 1
    made = model.geometry.out_channels
    if isinstance(model, models.ChannelModels):
        _check_models(model, n_channels, selection, "C" in axes)
    if model.in_channels in (None, 1):
        if made == 1:
            return fold + ("C" if "C" in axes else ""), None, None
        if n_channels > 1:
            raise PlanError(
                f"the model {model.name} makes {made} channels of one, the image has "
                f"{n_channels}: open the image with one channel",
                "model",
            )
        return fold, None, made
    chosen: tuple[int, ...] | None = None
    if "C" in selection:
        chosen = _chosen_channels(selection.pop("C"), n_channels)
        n_channels = len(chosen)
    if n_channels != model.in_channels:
        raise PlanError(
            # not what the image has: some of its channels may have been chosen
            f"the model {model.name} takes {model.in_channels} channels and gets {n_channels}: "
            f"choose {model.in_channels} channels, or another model",
            "model",
        )
    return fold, chosen, made


def _check_models(model: ChannelModels, n_channels: int, selection: Wanted, has_axis: bool) -> None:
    """Predict the channels that have a model, unless some of these are asked for."""
    for channel in model.channels:
        if channel >= n_channels:
            has = f"channels 0…{n_channels - 1}" if n_channels > 1 else "channel 0 alone"
            raise PlanError(
                f"there is a model for channel {channel}, the image has {has}: leave the model of "
                f"channel {channel} out",
                "model",
            )
    if not has_axis:
        return
    wanted = selection.setdefault("C", model.channels)
    for channel in _chosen_channels(wanted, n_channels):
        if channel not in model.channels:
            known = ", ".join(map(str, model.channels))
            raise PlanError(
                f"region C: channel {channel} has no model: choose out of {known}, or give it one",
                "area",
            )


def _chosen_channels(wanted: slice | int | Sequence[int], n_channels: int) -> tuple[int, ...]:
    """Channels in the order asked for, which is the order that the model gets them in."""
    try:
        if isinstance(wanted, slice):
            return tuple(range(n_channels)[wanted])
        chosen = [c + n_channels if c < 0 else c for c in index_list("C", wanted)]
        check_channels(chosen, n_channels)
    except (ValueError, TypeError, IndexError) as error:
        raise PlanError(str(error), "area") from None
    if len(set(chosen)) < len(chosen):
        raise PlanError(f"region C: {chosen} names a channel twice", "area")
    return tuple(chosen)
