"""Image layers of napari as stacks, known only by the attributes they have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_tessera.axes import validate_axes
from napari_tessera.metadata import RGB, ImageMetadata
from napari_tessera.stacks.axis_guess import guess_axes, letter_of
from napari_tessera.stacks.checks import at_level, check_level
from napari_tessera.stacks.opening.location import local_path
from napari_tessera.stacks.origins import find_origins
from napari_tessera.stacks.zarr.backed import ZarrBackedStack
from napari_tessera.units import ome_unit, unit_name

_ATTRIBUTES = ("data", "rgb", "multiscale", "scale", "translate", "name")
_COLOURS = 3


def is_layer(source: object) -> bool:
    """Whether something has what makes a napari image layer."""
    return all(hasattr(source, attribute) for attribute in _ATTRIBUTES)


class LayerStack(ZarrBackedStack):
    """A napari image layer, read from its own data (NumPy, dask, Zarr, …).

    Of an RGB layer the stack has the three colours as C, last; alpha is no part of it. The data
    is that of the moment: a layer that gets other data later does not change the stack.

    Parameters
    ----------
    layer : napari.layers.Image, or anything with its attributes
        The layer.
    axes : str, optional
        One letter per axis of the layer, with or without the C of an RGB layer. By default the
        axis labels where they name axes, else a guess from the shape (see `guess_axes`).
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Which level of a multiscale layer; 0 is the full size.

    Raises
    ------
    ValueError
        If axes, channels, level or the type of the pixels do not go with the layer.
    """

    def __init__(
        self,
        layer: Any,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        source = f"layer:{layer.name}"
        rgb = bool(layer.rgb)
        levels = layer.data if layer.multiscale else [layer.data]
        check_level(source, level, len(levels))
        data = levels[level]
        labels = getattr(layer, "axis_labels", None)
        if axes is None:
            # of the full size: a level of few planes would be taken for channels
            axes = guess_axes(levels[0].shape, rgb, labels)
        elif rgb and len(axes) == len(data.shape) - 1:
            axes += "C"
        validate_axes(axes, data.shape)
        if rgb and channels is None and "C" in axes:
            channels = range(min(_COLOURS, int(data.shape[axes.index("C")])))
        factors = [full / size for full, size in zip(levels[0].shape, data.shape, strict=True)]
        super().__init__(
            data,
            axes,
            source=at_level(source, level),
            channels=channels,
            metadata=_layer_metadata(layer, axes, factors, int(data.shape[-1]) if rgb else None),
        )
        self._levels = tuple(levels)
        opened_from = getattr(getattr(layer, "source", None), "path", None)
        self._opened_from = local_path(str(opened_from)) if opened_from else None

    @property
    def origins(self) -> tuple[Path, ...]:
        """What the layer was opened from, and what its levels are read from."""
        named = () if self._opened_from is None else (self._opened_from,)
        return find_origins(*named, *self._levels)


def _layer_metadata(
    layer: Any, axes: str, factors: Sequence[float], colours: int | None
) -> ImageMetadata:
    """Scale, translation and units of a layer; the colours of RGB have none.

    Nothing is known of an axis that the layer calls by another letter, or measures in units of
    another kind, as where time is taken as depth: seconds are no micrometers.
    """
    scale = [float(value) for value in layer.scale]
    translation = [float(value) for value in layer.translate]
    given = getattr(layer, "units", None) or ()
    units = [unit_name(str(unit)) for unit in given] if len(given) == len(scale) else None
    labels = list(getattr(layer, "axis_labels", None) or ())
    for at, letter in enumerate(axes[: len(scale)]):
        renamed = at < len(labels) and letter_of(labels[at]) not in (None, letter)
        if renamed or (units and _of_another_kind(letter, units[at])):
            scale[at], translation[at] = 1.0, 0.0
            if units:
                units[at] = None
    missing = len(axes) - len(scale)
    steps = zip(scale + [1.0] * missing, factors, strict=True)
    return ImageMetadata(
        axes=axes,
        scale=tuple(size * factor for size, factor in steps),
        units=None if units is None else (*units, *(None,) * missing),
        translation=(*translation, *(0.0,) * missing),
        channel_colors=None if colours is None else RGB[:colours],
    )


def _of_another_kind(letter: str, unit: str | None) -> bool:
    """Whether a unit is one of length for T, or one of time for Z, Y or X."""
    others = {"T": "X", "Z": "T", "Y": "T", "X": "T"}
    return letter in others and ome_unit(others[letter], unit) is not None
