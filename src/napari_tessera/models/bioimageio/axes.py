"""Axes of a tensor, as both versions of the format describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from napari_tessera.models.bioimageio.fields import DescriptionError

MOST_CHANNELS = 65_536
"""Channels of a tensor: numbers are made for each."""

WRAP = "Export the network anew with a batch, a channel and two or three spatial axes"


@dataclass(frozen=True)
class AxisSize:
    """Sizes that an axis may have: ``minimum``, ``minimum + step``, …; one size if step is 0.

    Parameters
    ----------
    minimum, step : int
        In pixels; of a size that refers to another axis its offset from there, and 1.
    reference : tuple of str or None
        Tensor and axis that the size follows.
    """

    minimum: int
    step: int
    reference: tuple[str, str] | None = None

    @property
    def is_one(self) -> bool:
        """Whether the axis has one entry and no more."""
        return (self.minimum, self.step, self.reference) == (1, 0, None)


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor.

    Parameters
    ----------
    name : str
        As operations and references call it.
    kind : {"batch", "channel", "space", "time", "index"}
        What it counts.
    size : AxisSize or None
        None where any size will do.
    scale : float
        Physical size of a pixel relative to other tensors' pixels: an output axis of scale 2 has
        half as many pixels as the input.
    halo : int
        Pixels at each end of an output that its authors do not trust.
    """

    name: str
    kind: str
    size: AxisSize | None = None
    scale: float = 1.0
    halo: int = 0

    @property
    def is_single(self) -> bool:
        """Whether the axis has one entry and no more."""
        return self.size is not None and self.size.is_one


@dataclass(frozen=True)
class Layout:
    """Axes of a tensor in their order, each with its part in NC(Z)YX.

    Parameters
    ----------
    axes : tuple of Axis
        As they are in the file.
    letters : str
        One for each: N, C, Z, Y, X, or 1 for an axis with a single entry that is no part of it.
    """

    axes: tuple[Axis, ...]
    letters: str

    @property
    def spatial_dims(self) -> int:
        """2 or 3."""
        return 3 if "Z" in self.letters else 2

    def axis(self, letter: str) -> Axis | None:
        """The axis that a letter stands for."""
        at = self.letters.find(letter)
        return None if at < 0 else self.axes[at]

    def named(self, tensor: str) -> dict[tuple[str, str], Axis]:
        """The axes by the tensor's name and their own."""
        return {(tensor, axis.name): axis for axis in self.axes}

    @property
    def spatial(self) -> tuple[Axis, ...]:
        """Spatial axes in the order (Z)YX."""
        order = [self.letters.find(letter) for letter in "ZYX"]
        return tuple(self.axes[at] for at in order if at >= 0)

    @property
    def channels(self) -> int | None:
        """Number of channels; None where any number is taken."""
        axis = self.axis("C")
        if axis is None:
            return 1
        return axis.size.minimum if axis.size is not None and not axis.size.step else None


def layout_of(axes: Sequence[Axis], path: str) -> Layout:
    """Tell which axis is which.

    Parameters
    ----------
    axes : sequence of Axis
        In the tensor's order.
    path : str
        What errors call the list.

    Raises
    ------
    DescriptionError
        If they are not those of an image or a volume.
    """
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        raise DescriptionError(f"its {path} names an axis twice ({', '.join(names)})")
    for kind in ("batch", "channel"):
        if sum(axis.kind == kind for axis in axes) > 1:
            raise DescriptionError(f"its {path} has more than one {kind} axis", WRAP)
    for axis in axes:
        if axis.kind in ("time", "index") and not axis.is_single:
            raise DescriptionError(
                f"its {path} has the {axis.kind} axis {axis.name!r} with more than one entry",
                WRAP,
            )
    space = _spatial_letters(axes, path)
    of_kind = {"batch": "N", "channel": "C", "time": "1", "index": "1"}
    letters = "".join(space.get(axis.name) or of_kind[axis.kind] for axis in axes)
    layout = Layout(tuple(axes), letters)
    if layout.channels is not None and layout.channels > MOST_CHANNELS:
        raise DescriptionError(
            f"its {path} has {layout.channels:,} channels, more than {MOST_CHANNELS:,}"
        )
    return layout


def _spatial_letters(axes: Sequence[Axis], path: str) -> dict[str, str]:
    """Letters of the spatial axes by name: their own names where these are letters, else order."""
    space = [axis for axis in axes if axis.kind == "space"]
    single = {axis.name: "1" for axis in space if axis.is_single and axis.name.lower() == "z"}
    space = [axis for axis in space if axis.name not in single]
    if len(space) not in (2, 3):
        raise DescriptionError(f"its {path} has {len(space)} spatial axes, not 2 or 3", WRAP)
    letters = "ZYX"[-len(space) :]
    own = {axis.name: axis.name.upper() for axis in space}
    if set(own.values()) == set(letters):
        return own | single
    return dict(zip((axis.name for axis in space), letters, strict=True)) | single


def followed(axes: Sequence[Axis], known: Mapping[tuple[str, str], Axis]) -> list[Axis]:
    """Axes with the sizes of those that they follow: ``size · ratio of scales + offset``.

    Parameters
    ----------
    axes : sequence of Axis
        Of a tensor.
    known : mapping
        Axes that may be followed, by tensor and name. A size that follows another one stays as it
        is.
    """
    return [replace(axis, size=_followed_size(axis, known)) for axis in axes]


def _followed_size(axis: Axis, known: Mapping[tuple[str, str], Axis]) -> AxisSize | None:
    size = axis.size
    other = known.get(size.reference) if size is not None and size.reference else None
    if size is None or other is None or other.size is None or other.size.reference is not None:
        return size
    ratio = other.scale / axis.scale
    try:
        least, step = int(other.size.minimum * ratio + size.minimum), int(other.size.step * ratio)
    except (OverflowError, ValueError):
        # infinite, or infinitely many times nothing
        raise DescriptionError(
            f"its axis {axis.name!r} has the scale {axis.scale:g}, and {other.name!r}, which it "
            f"follows, {other.scale:g}"
        ) from None
    return AxisSize(max(1, least), step)
