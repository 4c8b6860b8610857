"""Axes as format 0.4 writes them: one letter each, and a shape."""

from __future__ import annotations

from collections.abc import Mapping

from napari_tessera.models.bioimageio.axes import Axis, AxisSize, Layout, followed, layout_of
from napari_tessera.models.bioimageio.fields import Field

_KINDS = {
    "b": "batch",
    "c": "channel",
    "i": "index",
    "t": "time",
    "z": "space",
    "y": "space",
    "x": "space",
}

_FARTHEST = 2**31
"""Pixels by which a size may differ from a multiple of the one that it follows."""


def read_axes(tensor: Field, image: Mapping[tuple[str, str], Axis]) -> Layout:
    """Read the axes of one tensor: its fields ``axes``, ``shape`` and ``halo``.

    Parameters
    ----------
    tensor : Field
        The tensor.
    image : mapping
        Axes of the input, for those of the output, by tensor and name.
    """
    field = tensor.needed("axes")
    letters = field.text()
    if not letters or set(letters) - set(_KINDS):
        field.refuse(f"and axes are letters of {''.join(_KINDS)}")
    sizes = _read_shape(tensor.needed("shape"), letters)
    halos = tensor["halo"].items()
    if halos and len(halos) != len(letters):
        tensor["halo"].refuse(f"not one number for each of the axes {letters}")
    axes = [
        Axis(
            letter,
            _KINDS[letter],
            None if letter == "b" else size,
            1 / scale if scale else 1.0,
            halos[i].whole(0) if halos else 0,
        )
        for i, (letter, (size, scale)) in enumerate(zip(letters, sizes, strict=True))
    ]
    return layout_of(followed(axes, image), field.path)


def _read_shape(field: Field, letters: str) -> list[tuple[AxisSize, float]]:
    """Size of each axis, and its output pixels per input pixel."""
    if not isinstance(field.value, dict):
        fixed = _list_for(field, letters)
        return [(AxisSize(item.whole(1), 0), 1.0) for item in fixed]
    if field["reference_tensor"]:
        name = field["reference_tensor"].text()
        scales = _list_for(field.needed("scale"), letters)
        offsets = _list_for(field.needed("offset"), letters)
        return [
            _follow(name, letter, scale, offset.number_in(-_FARTHEST, _FARTHEST))
            for letter, scale, offset in zip(letters, scales, offsets, strict=True)
        ]
    least = _list_for(field.needed("min"), letters)
    steps = _list_for(field.needed("step"), letters)
    return [
        (AxisSize(low.whole(1), step.whole(0)), 1.0) for low, step in zip(least, steps, strict=True)
    ]


def _follow(name: str, letter: str, scale: Field, offset: float) -> tuple[AxisSize, float]:
    ratio = scale.number() if scale else 0.0
    if ratio < 0:
        scale.refuse("less than 0")
    if not ratio:
        # a new axis, whose length stands in the offset
        return AxisSize(max(1, int(2 * offset)), 0), 1.0
    return AxisSize(int(2 * offset), 1, (name, letter)), ratio


def _list_for(field: Field, letters: str) -> list[Field]:
    items = field.items()
    if len(items) != len(letters):
        field.refuse(f"not one entry for each of the axes {letters}")
    return items
