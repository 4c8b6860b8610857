"""How the channels of a saved image are to be shown, as far as files can say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.zarr.nodes import attributes_of
from napari_tessera.widgets.layer_pixels import LayerChannels
from napari_tessera.writing.ome.plain_text import plain_text

_COLOURS = (("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF"), ("Alpha", "FFFFFF"))


@dataclass(frozen=True)
class ChannelLook:
    """Name, colour and intensities of a channel.

    Parameters
    ----------
    name : str or None
        What it is called.
    colour : str or None
        Colour of its brightest pixels, six hexadecimal digits; None where that says too little of
        how it is shown.
    window : tuple of float or None
        Intensities that are black and brightest.
    shown : bool
        Whether it is visible.
    """

    name: str | None = None
    colour: str | None = None
    window: tuple[float, float] | None = None
    shown: bool = True

    def named(self, name: str | None) -> ChannelLook:
        """The same look under another name."""
        return replace(self, name=name)


def layer_look(attributes: Mapping[str, Any]) -> ChannelLook:
    """How a layer is shown, from the attributes that napari hands to writers."""
    limits = attributes.get("contrast_limits")
    window = None
    if limits is not None and len(limits) == 2:
        low, high = (float(limit) for limit in limits)
        window = (low, high) if np.isfinite([low, high]).all() and low < high else None
    return ChannelLook(
        name=str(attributes["name"]) if attributes.get("name") else None,
        colour=_brightest(attributes.get("colormap")),
        window=window,
        shown=bool(attributes.get("visible", True)),
    )


def colour_looks(pixels: Any) -> tuple[ChannelLook, ...]:
    """Red, green, blue and, hidden, alpha of an RGB image with its colour axis last."""
    dtype = np.dtype(pixels.dtype)
    top = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    return tuple(
        ChannelLook(name, colour, (0.0, top), shown=name != "Alpha")
        for name, colour in _COLOURS[: int(pixels.shape[-1])]
    )


def _brightest(colormap: Any) -> str | None:
    """Last colour of a colormap that runs evenly from black to it; else None."""
    colours = colormap.get("colors") if isinstance(colormap, Mapping) else None
    if colours is None:
        return None
    colours = np.asarray(colours, np.float64)
    if colours.shape[0] != 2 or colours[0, :3].any():
        return None
    return "".join(f"{round(255 * float(part)):02X}" for part in colours[1, :3])


def named_channels(
    pixels: Any, axes: str, metadata: ImageMetadata, looks: Sequence[ChannelLook]
) -> tuple[Any, str, ImageMetadata]:
    """Let an image say the names and colours of its channels, where a file is written of it.

    An image without channels becomes one of a single channel, as OME-TIFF has it anyway.

    Parameters
    ----------
    pixels : array-like
        The image.
    axes : str
        Its axes.
    metadata : ImageMetadata
        Of these axes.
    looks : sequence of ChannelLook
        One for each channel; else, and where they have no names, the metadata's names stay.

    Returns
    -------
    tuple
        Pixels, axes and metadata.
    """
    n_channels = int(pixels.shape[axes.index("C")]) if "C" in axes else 1
    names = tuple(look.name for look in looks)
    if len(names) != n_channels or None in names:
        return pixels, axes, metadata
    if "C" not in axes:
        pixels, axes = LayerChannels((pixels,)), f"C{axes}"
    known = metadata.with_axes(axes)
    colours = tuple(look.colour for look in looks if look.colour is not None)
    return (
        pixels,
        axes,
        replace(
            known,
            channel_names=tuple(map(str, names)),
            channel_colors=colours if len(colours) == n_channels else known.channel_colors,
        ),
    )


def set_looks(store: Path, looks: Sequence[ChannelLook]) -> None:
    """Enter in an OME-Zarr image that nobody writes how its channels are to be shown.

    What a look does not say stays as the writer found it in the pixels.

    Parameters
    ----------
    store : pathlib.Path
        The image, of version 0.4 or 0.5, with ``omero`` metadata; one without is left alone.
    looks : sequence of ChannelLook
        One for each channel. A single one is that of all channels, as of a layer that shows one
        after the other; it names no more than one, and none by the name that the image has
        already: viewers show both.
    """
    group = zarr.open_group(LocalStore(store), mode="r+")
    attributes = dict(attributes_of(group))
    ome = attributes.get("ome", attributes)
    channels = (ome.get("omero") or {}).get("channels") or []
    if len(looks) == 1 and (len(channels) > 1 or _is_called(ome, looks[0].name)):
        looks = [looks[0].named(None)] * len(channels)
    if not channels or len(channels) != len(looks):
        return
    shown = [_looking(channel, look) for channel, look in zip(channels, looks, strict=True)]
    omero = {**ome["omero"], "channels": shown}
    group.update_attributes(
        {"ome": {**ome, "omero": omero}} if ome is not attributes else {"omero": omero}
    )


def _is_called(image: Mapping[str, Any], name: str | None) -> bool:
    """Whether an image's metadata give it a name."""
    found = next(iter(image.get("multiscales") or ()), None)
    return name is not None and isinstance(found, Mapping) and found.get("name") == plain_text(name)


def _looking(channel: Mapping[str, Any], look: ChannelLook) -> dict[str, Any]:
    entry = {**channel, "active": look.shown}
    if look.name is not None:
        entry["label"] = plain_text(look.name)
    if look.colour is not None:
        entry["color"] = look.colour
    if look.window is not None:
        window = channel.get("window", {})
        start, end = look.window
        entry["window"] = {
            "min": min(window.get("min", start), start),
            "start": start,
            "end": end,
            "max": max(window.get("max", end), end),
        }
    return entry
