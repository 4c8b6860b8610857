"""Stacks whose attributes are wrong, each in one way, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .right import Array, Broken, Right


def having(**attributes: Any) -> Broken:
    """A right stack, but for an attribute."""

    def make(array: Array) -> Right:
        stack = Right(array)
        vars(stack).update(attributes)
        return stack

    make.__name__ = "-".join(attributes)
    return make


def changed(name: str, change: Callable[[Any], Any]) -> Broken:
    """A right stack, but for an attribute that is made of the right one."""

    def make(array: Array) -> Right:
        stack = Right(array)
        setattr(stack, name, change(getattr(stack, name)))
        return stack

    make.__name__ = name
    return make


def without_source(array: Array) -> Right:
    stack = Right(array)
    del stack.source
    return stack


BROKEN: dict[str, list[tuple[Broken, str]]] = {
    "protocol": [
        (without_source, "it has no source"),
        (having(source=""), "source is empty"),
        (having(source=Path("cells.xyz")), "is not a text"),
        (having(extract_patch=None), "extract_patch cannot be called"),
        (changed("data_dtype", str), "data_dtype 'uint16' is not a numpy.dtype"),
        (having(data_dtype=np.dtype(">u2")), "not in native byte order"),
        (having(data_dtype=np.dtype("complex64")), "is not bool, integer or floating-point"),
        (
            changed("data_shape", lambda shape: tuple(map(float, shape))),
            r"data_shape \(6.0, .* is not a sequence of int",
        ),
        (
            having(original_data_shape=np.array([2, 3, 4, 19, 21])),
            "original_data_shape array.* is not a sequence of int",
        ),
        (
            changed("original_axes", lambda axes: "Q" + axes),
            "original_axes 'QSTCYX' do not describe the reference array: .*'Q' is not an axis",
        ),
        (changed("original_axes", list), r"original_axes \['S', .* is not a text"),
    ],
    "shapes": [
        (
            having(data_shape=(2, 3, 4, 19, 21)),
            r"data_shape is \(2, 3, 4, .* is \(6, 4, .* as SC\(Z\)YX",
        ),
        (
            having(original_data_shape=(3, 2, 4, 19, 21)),
            r"original_data_shape is \(3, 2, .* the reference array has \(2, 3, ",
        ),
        (
            having(data_dtype=np.dtype("float64")),
            "data_dtype is float64, the reference array has uint16",
        ),
    ],
    "metadata": [(having(metadata={"scale": 1.0}), "metadata is a dict, which nobody reads")],
    "origins": [
        (having(origins=[Path.cwd()]), "origins is a list, which nobody reads"),
        (having(origins=(Path("cells.xyz"),)), "is not an absolute path"),
        (having(origins=("cells.xyz",)), "is not an absolute path"),
    ],
}
"""By the check that must find them."""
