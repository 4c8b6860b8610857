"""Axis order: any arrangement of S, T, C, Z, Y, X and its way to ``SC(Z)YX`` and back.

Every room below works on ``SC(Z)YX``: samples first (S and T merged, S-major), then channels, then
space. This module is the only one that knows how an image's own axis order maps to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from operator import index as as_int

import numpy as np
from numpy.typing import NDArray

AXES = "STCZYX"
"""The letters an axis may have, in reference order."""


def validate_axes(axes: str, shape: Sequence[int] | None = None) -> None:
    """Check that ``axes`` names the axes of an image.

    Parameters
    ----------
    axes : str
        Letters out of ``STCZYX``, each at most once, Y and X among them, in any order.
    shape : sequence of int, optional
        The shape that the letters describe; one letter per axis, no empty axis.

    Raises
    ------
    ValueError
        Naming the letters, what is wrong with them, and what would be right.
    """
    unknown = [letter for letter in axes if letter not in AXES]
    if unknown:
        raise ValueError(
            f"axes {axes!r}: {unknown[0]!r} is not an axis; use letters out of {AXES}"
            f"{' (upper case)' if unknown[0].upper() in AXES else ''}"
        )
    repeated = [letter for letter in axes if axes.count(letter) > 1]
    if repeated:
        raise ValueError(
            f"axes {axes!r}: {repeated[0]!r} stands {axes.count(repeated[0])} times; "
            "use each letter at most once"
        )
    missing = [letter for letter in "YX" if letter not in axes]
    if missing:
        raise ValueError(f"axes {axes!r}: {' and '.join(missing)} missing; an image has Y and X")
    if shape is None:
        return
    if len(axes) != len(shape):
        hint = ""
        if len(shape) > len(axes):
            free = [letter for letter in "ZCTS" if letter not in axes]
            hint = f": add {', '.join(free[:-1])} or {free[-1]}" if len(free) > 1 else ""
        raise ValueError(
            f"{axes} has {len(axes)} letters, the image {len(shape)} axes "
            f"{_shape_text(shape)}{hint or ': give one letter per axis'}"
        )
    for letter, size in zip(axes, shape, strict=True):
        if size < 1:
            raise ValueError(
                f"axis {letter} is empty (size {size}) in shape {_shape_text(shape)}; "
                "every axis needs at least 1"
            )


def _shape_text(shape: Sequence[int]) -> str:
    return "×".join(str(int(size)) for size in shape)


def _one_line(value: object) -> str:
    return " ".join(repr(value).split())


def _whole(name: str, value: object) -> int:
    """A whole number of Python or NumPy; TypeError for anything else, bool, float and text too."""
    try:
        if isinstance(value, bool | np.bool):
            raise TypeError
        return as_int(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} {_one_line(value)} is not a whole number") from None


def _whole_numbers(name: str, values: Iterable[object]) -> tuple[int, ...]:
    """Any iterable of whole numbers, gone through once; TypeError for anything else."""
    try:
        given = list(values)
    except TypeError:
        raise TypeError(f"{name} {_one_line(values)} is no list of whole numbers") from None
    return tuple(_whole(name, value) for value in given)


@dataclass(frozen=True)
class AxesTransform:
    """The way from an image's own axes to ``SC(Z)YX``.

    Parameters
    ----------
    original_axes : str
        Letters out of ``STCZYX`` in the order of the image, e.g. ``"YXC"``.
    original_data_shape : sequence of int
        Shape of the image, one size per letter.

    Raises
    ------
    ValueError
        If the letters do not describe the shape (see `validate_axes`), or a size is no whole
        number, naming the axis and the size.
    """

    original_axes: str
    original_data_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        validate_axes(self.original_axes)
        try:
            given = list(self.original_data_shape)
            # Sizes that no letter is for are told by their number, further below.
            letters = [*self.original_axes, *"?" * len(given)]
            shape = tuple(
                _whole(f"axis {letter}: size", size)
                for letter, size in zip(letters, given, strict=False)
            )
        except TypeError as error:
            if not isinstance(self.original_data_shape, Iterable):
                raise ValueError(
                    f"shape {_one_line(self.original_data_shape)} is no sequence; give one size "
                    f"for each of {self.original_axes}"
                ) from None
            raise ValueError(f"{error}; use 1 or more") from None
        object.__setattr__(self, "original_data_shape", shape)
        validate_axes(self.original_axes, shape)

    @property
    def original_dim_sizes(self) -> dict[str, int]:
        """Size of each original axis by letter."""
        return dict(zip(self.original_axes, self.original_data_shape, strict=True))

    @property
    def sample_dims(self) -> list[str]:
        """Original axes that are merged into S, in reference order: S before T."""
        return [letter for letter in "ST" if letter in self.original_axes]

    @property
    def c_added_to_original(self) -> bool:
        """Whether C is a length-1 axis that the original does not have."""
        return "C" not in self.original_axes

    @property
    def original_has_z(self) -> bool:
        """Whether the original has a Z axis."""
        return "Z" in self.original_axes

    @property
    def transformed_axes(self) -> str:
        """``SCZYX`` for originals with Z, ``SCYX`` for those without."""
        return "SCZYX" if self.original_has_z else "SCYX"

    @property
    def spatial_axes(self) -> str:
        """``ZYX`` or ``YX``."""
        return self.transformed_axes[2:]

    @property
    def transformed_shape(self) -> tuple[int, ...]:
        """Shape in ``SC(Z)YX``: S and T merged, C added where there is none."""
        sizes = self.original_dim_sizes
        samples = prod(sizes[letter] for letter in self.sample_dims)
        return (samples, sizes.get("C", 1), *(sizes[letter] for letter in self.spatial_axes))

    @property
    def order_permutation(self) -> list[int]:
        """Permutation that brings the original axes into ``STCZYX`` order."""
        return [self.original_axes.index(a) for a in AXES if a in self.original_axes]

    def calc_original_S_idx(self, sample_idx: int) -> int:
        """Index along the original S of a merged sample: ``sample_idx // T``."""
        sample = self._checked_sample(sample_idx)
        if "S" not in self.original_axes:
            raise ValueError(f"axes {self.original_axes!r} have no S")
        return sample // self.original_dim_sizes.get("T", 1)

    def calc_original_T_idx(self, sample_idx: int) -> int:
        """Index along the original T of a merged sample: ``sample_idx % T``."""
        sample = self._checked_sample(sample_idx)
        if "T" not in self.original_axes:
            raise ValueError(f"axes {self.original_axes!r} have no T")
        return sample % self.original_dim_sizes["T"]

    def _checked_sample(self, sample_idx: int) -> int:
        samples = self.transformed_shape[0]
        sample = _whole("sample", sample_idx)
        if not 0 <= sample < samples:
            raise IndexError(f"sample {sample} is outside 0…{samples - 1}")
        return sample


def get_patch_slices(
    axes: str,
    data_shape: Sequence[int],
    sample_idx: int,
    channels: Sequence[int] | None,
    coords: Sequence[int],
    patch_size: Sequence[int],
) -> tuple[int | slice | list[int], ...]:
    """Index of a patch in an image of any axis order.

    Parameters
    ----------
    axes : str
        The image's axes.
    data_shape : sequence of int
        The image's shape, in the order of ``axes``.
    sample_idx : int
        Sample, S and T merged (S-major).
    channels : sequence of int or None
        Channels; None for all. They must be inside the image. An image without C has no axis to
        choose along: `reshape_patch` adds its one channel, once, however often it was named.
    coords, patch_size : sequence of int
        Start and size in (Z)YX, in pixels. The patch must lie inside the image, which is not
        checked: NumPy takes negative numbers as counted from the end, and cuts at the far edge.

    Returns
    -------
    tuple
        One index per axis of the image: int for S and T, slice for space and channels. Channels
        that no slice can name are a list of int, which NumPy treats as an advanced index: an
        int for S or T that is not beside it then moves axes.

    Raises
    ------
    IndexError
        If the sample or a channel is outside the image.
    TypeError
        If sample, channels, coords or patch_size are no whole numbers.
    ValueError
        If the axes do not describe the shape, or coords and patch_size not its space.
    """
    transform = AxesTransform(axes, data_shape)  # type: ignore[arg-type]
    transform._checked_sample(sample_idx)
    spatial = transform.spatial_axes
    starts = _whole_numbers("coords", coords)
    sizes = _whole_numbers("patch size", patch_size)
    if len(starts) != len(spatial) or len(sizes) != len(spatial):
        raise ValueError(
            f"coords {starts} and patch size {sizes} need one number for each of {spatial}"
        )
    # Once, as an iterator would be empty afterwards.
    chosen = None if channels is None else _whole_numbers("channel", channels)
    check_channels(chosen, transform.transformed_shape[1])
    index: list[int | slice | list[int]] = []
    for letter in axes:
        if letter == "S":
            index.append(transform.calc_original_S_idx(sample_idx))
        elif letter == "T":
            index.append(transform.calc_original_T_idx(sample_idx))
        elif letter == "C":
            index.append(_channel_index(chosen))
        else:
            at = spatial.index(letter)
            index.append(slice(starts[at], starts[at] + sizes[at]))
    return tuple(index)


def _channel_index(chosen: Sequence[int] | None) -> slice | list[int]:
    """Slice where the channels are evenly spaced and ascending, so that no axis ever moves."""
    if chosen is None:
        return slice(None)
    steps = {after - before for before, after in pairwise(chosen)} or {1}
    step = min(steps)
    if chosen and len(steps) == 1 and step > 0:
        return slice(chosen[0], chosen[-1] + 1, step if step > 1 else None)
    return list(chosen)


def check_channels(channels: Sequence[int] | None, n_channels: int) -> None:
    """Raise IndexError unless each of ``channels`` is in 0…n_channels−1."""
    for channel in channels if channels is not None else ():
        if not 0 <= channel < n_channels:
            raise IndexError(f"channel {channel} is outside 0…{n_channels - 1}")


def reshape_patch(patch: NDArray[np.generic], axes: str) -> NDArray[np.generic]:
    """Bring a patch of one sample into ``C(Z)YX``.

    Parameters
    ----------
    patch : numpy.ndarray
        The patch in the order of ``axes`` without its S and T.
    axes : str
        The axes of the image the patch comes from; S and T are ignored.

    Returns
    -------
    numpy.ndarray
        The patch as ``C(Z)YX``; C is added with length 1 where the image has none. A view.
    """
    own = [letter for letter in axes if letter not in "ST"]
    if patch.ndim != len(own):
        raise ValueError(f"a patch of axes {''.join(own)} has {len(own)} axes, not {patch.ndim}")
    ordered = patch.transpose([own.index(letter) for letter in "CZYX" if letter in own])
    return ordered if "C" in own else ordered[np.newaxis]


def restored_axes_and_shape(
    axes: str, shape: Sequence[int], channels: int | None = None
) -> tuple[str, tuple[int, ...]]:
    """Axes and shape of an image whose number of channels becomes ``channels``.

    C keeps its place where the image has one (even with length 1). Where it has none and
    ``channels`` is more than one, C is put before the first spatial axis.
    """
    validate_axes(axes, shape)
    sizes = dict(zip(axes, (int(size) for size in shape), strict=True))
    if channels is not None:
        if "C" not in axes and channels != 1:
            at = min(axes.index(letter) for letter in "ZYX" if letter in axes)
            axes = f"{axes[:at]}C{axes[at:]}"
        if "C" in axes:
            sizes["C"] = channels
    return axes, tuple(sizes[letter] for letter in axes)


def restore_array(
    array: NDArray[np.generic], axes: str, shape: Sequence[int], channels: int | None = None
) -> NDArray[np.generic]:
    """Bring an ``SC(Z)YX`` array back into an image's own axes: the inverse of the transform.

    Parameters
    ----------
    array : numpy.ndarray
        ``SC(Z)YX``.
    axes : str
        The image's axes.
    shape : sequence of int
        The image's shape.
    channels : int, optional
        Number of channels of ``array`` where it is not the image's: C is then inserted before
        the first spatial axis, or replaced.

    Returns
    -------
    numpy.ndarray
        The array in the order of ``axes`` (with C inserted where needed). A view where possible.

    Raises
    ------
    ValueError
        If the array's shape is not that of the image.
    """
    transform = AxesTransform(axes, tuple(shape))
    out_axes, out_shape = restored_axes_and_shape(axes, shape, channels)
    expected = list(transform.transformed_shape)
    if channels is not None:
        expected[1] = channels
    if list(array.shape) != expected:
        raise ValueError(
            f"an array of shape {_shape_text(array.shape)} cannot be restored to {axes} "
            f"{_shape_text(shape)}: {transform.transformed_axes} {_shape_text(expected)} expected"
        )
    sizes = dict(zip(out_axes, out_shape, strict=True))
    reference = [letter for letter in AXES if letter in out_axes]
    ordered = array.reshape([sizes[letter] for letter in reference])
    return ordered.transpose([reference.index(letter) for letter in out_axes])
