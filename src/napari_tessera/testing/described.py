"""Checks of what a stack says of itself: attributes, shapes, metadata, files."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks import read_metadata, read_origins
from napari_tessera.stacks.checks import error_line
from napari_tessera.testing.subject import Subject


def protocol(subject: Subject) -> None:
    """Every attribute is there, and of the type that `ImageStack` names."""
    stack = subject.stack
    for name in ("source", "original_axes"):
        text: Any = getattr(stack, name)
        subject.require(isinstance(text, str), f"{name} {text!r} is not a text")
    subject.require(bool(stack.source), "source is empty; name the file or array")
    subject.require(callable(stack.extract_patch), "extract_patch cannot be called")
    dtype: Any = stack.data_dtype
    subject.require(isinstance(dtype, np.dtype), f"data_dtype {dtype!r} is not a numpy.dtype")
    subject.require(dtype.isnative, f"data_dtype {dtype!r} is not in native byte order")
    subject.require(
        dtype.kind in "biuf", f"data_dtype {dtype} is not bool, integer or floating-point"
    )
    for name in ("data_shape", "original_data_shape"):
        shape: Any = getattr(stack, name)
        subject.require(
            isinstance(shape, Sequence) and all(isinstance(n, int | np.integer) for n in shape),
            f"{name} {shape!r} is not a sequence of int",
        )


def shapes(subject: Subject) -> None:
    """Shapes and type are those of the array, original and as ``SC(Z)YX``."""
    stack = subject.stack
    own, expected = tuple(stack.original_data_shape), tuple(subject.reference.array.shape)
    subject.require(
        own == expected, f"original_data_shape is {own}, the reference array has {expected}"
    )
    found, expected = tuple(stack.data_shape), subject.reference.shape
    subject.require(
        found == expected,
        f"data_shape is {found}, {stack.original_axes} {own} is {expected} as SC(Z)YX",
    )
    dtype = subject.reference.dtype
    subject.require(
        stack.data_dtype == dtype,
        f"data_dtype is {stack.data_dtype}, the reference array has {dtype}",
    )


def metadata(subject: Subject) -> None:
    """What `read_metadata` gives fits the image: axes, one scale per axis, channel names."""
    stack = subject.stack
    own: Any = getattr(stack, "metadata", None)
    subject.require(
        own is None or isinstance(own, ImageMetadata),
        f"metadata is a {type(own).__name__}, which nobody reads; make it an ImageMetadata",
    )
    try:
        known = read_metadata(stack)
    except Exception as error:
        raise subject.failed(f"read_metadata raised {error_line(error)}") from error
    axes = stack.original_axes
    subject.require(known.axes == axes, f"metadata is for axes {known.axes}, the stack has {axes}")
    for letter in axes:
        scale, _, start = known.along(letter)
        subject.require(
            isfinite(scale) and scale != 0, f"scale {scale} along {letter} is no size of a step"
        )
        subject.require(isfinite(start), f"translation {start} along {letter} is no position")
    names = known.channel_names
    count = subject.reference.sizes.get("C", 1)
    subject.require(
        names is None or len(names) == count,
        f"there are {len(names or ())} channel names for {count} channels",
    )


def origins(subject: Subject) -> None:
    """What `read_origins` gives are absolute paths, so that no output is written over them."""
    stack = subject.stack
    own: Any = getattr(stack, "origins", ())
    subject.require(
        isinstance(own, tuple),
        f"origins is a {type(own).__name__}, which nobody reads; make it a tuple of paths",
    )
    try:
        found: tuple[Any, ...] = read_origins(stack)
    except Exception as error:
        raise subject.failed(f"read_origins raised {error_line(error)}") from error
    for path in found:
        subject.require(
            isinstance(path, Path) and path.is_absolute(), f"{path!r} is not an absolute path"
        )
