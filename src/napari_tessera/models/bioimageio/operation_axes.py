"""Which pixels an operation of a package takes together, in words of this package."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.bioimageio.axes import Axis, Layout
from napari_tessera.models.bioimageio.fields import Field

_WHOLE = "Change it to all spatial axes, if the network bears it, or bake it into the network"


@dataclass(frozen=True)
class Together:
    """Pixels that are measured as one.

    Parameters
    ----------
    pooled : bool
        Whether all channels are.
    scope : {"time_point", "series"}
        Whether the whole dataset is, or each sample.
    """

    pooled: bool
    scope: str


def pixels_together(kwargs: Field, layout: Layout) -> Together:
    """Read an operation's ``axes`` and ``mode``.

    Parameters
    ----------
    kwargs : Field
        The operation's arguments. ``axes`` is a list of names (0.5), or a word of letters (0.4)
        that leaves the batch to ``mode``; all axes where it is left out.
    layout : Layout
        Of the tensor that the operation is applied to.

    Raises
    ------
    DescriptionError
        If an axis is not one of the tensor's, or if pixels of one image would be measured apart.
    """
    field = kwargs["axes"]
    mode = kwargs["mode"].text() if kwargs["mode"] else None
    if not field:
        # 0.4 leaves the batch to the mode even here
        scope = "time_point" if mode == "per_sample" else "series"
        return Together(layout.channels != 1, scope)
    chosen = _axes_named(field, layout)
    for axis in layout.spatial:
        if axis not in chosen:
            field.refuse(
                f"and leaves out {axis.name!r}: planes or rows of one image would be measured "
                "one by one, which is not supported",
                _WHOLE,
            )
    is_series = any(axis.kind == "batch" for axis in chosen) or mode == "per_dataset"
    pooled = layout.channels != 1 and layout.axis("C") in chosen
    return Together(pooled, "series" if is_series else "time_point")


def check_channel_axis(field: Field, layout: Layout) -> None:
    """Check that numbers given along an axis are one for each channel."""
    if field and _axis_named(field.text(), layout, field) != layout.axis("C"):
        field.refuse(
            "and numbers along another axis than the channels are not supported",
            "Bake the operation into the network",
        )


def check_shared_letters(field: Field, layout: Layout) -> None:
    """Check that letters of format 0.4 name axes that share a number: all but the channels.

    Raises
    ------
    DescriptionError
        If an axis other than the channels would have several numbers.
    """
    if not field:
        return
    chosen = _axes_named(field, layout)
    for axis in layout.spatial:
        if axis not in chosen:
            field.refuse(
                f"and leaves out {axis.name!r}: numbers along another axis than the channels are "
                "not supported",
                "Bake the operation into the network",
            )


def _axes_named(field: Field, layout: Layout) -> list[Axis]:
    """The axes of a word of letters, or of a list of names."""
    is_word = isinstance(field.value, str)
    names = list(field.text()) if is_word else [item.text() for item in field.items()]
    return [_axis_named(name, layout, field) for name in names]


def _axis_named(name: str, layout: Layout, field: Field) -> Axis:
    for axis in layout.axes:
        if axis.name == name or (name == "b" and axis.kind == "batch"):
            return axis
    known = ", ".join(axis.name for axis in layout.axes)
    field.refuse(f"and {name!r} is no axis of its tensor ({known})")
