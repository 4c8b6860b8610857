"""Shapes drawn in the plane of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {"polygon": 3, "ellipse": 4, "path": 2}
"""Kinds of outlines, and how many points each has at least."""


@dataclass(frozen=True)
class Outline:
    """A shape in the YX plane.

    Parameters
    ----------
    points : sequence of (float, float)
        Y and X of each point, in pixels of the image: the centre of its first pixel is (0, 0).
        Corners of a polygon, whose inside is by the even-odd rule; the four corners around an
        ellipse, in order, as of its bounding box before that was turned or sheared; points of a
        path.
    kind : {"polygon", "ellipse", "path"}
        What they are. A path, which may be a line, has no inside: it meets what it crosses.
    at : mapping, optional
        Axis letter out of S, T, C, Z to index: the plane that it lies in. Along the others it holds
        for all of the image.

    Raises
    ------
    ValueError
        If the points are no pairs of numbers, too few, or the kind is unknown.
    """

    points: tuple[tuple[float, float], ...]
    kind: str = "polygon"
    at: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in tuple(KINDS):
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(KINDS)}")
        name = "an ellipse" if self.kind == "ellipse" else f"a {self.kind}"
        try:
            corners = np.asarray(self.points, float)
        except (TypeError, ValueError):
            corners = np.empty(0)
        if corners.ndim != 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
            raise ValueError(
                f"the points of {name} are no pairs of Y and X: give (Y, X) for each, and "
                "at={'Z': 3} for what lies in one plane"
            )
        least = KINDS[self.kind]
        if len(corners) < least or (self.kind == "ellipse" and len(corners) > least):
            few = "" if self.kind == "ellipse" else " or more"
            raise ValueError(f"{name} of {len(corners)} points: give {least}{few}, each as (Y, X)")
        if not isinstance(self.at, Mapping):
            raise ValueError(f"{name} at {self.at!r}: give its plane as {{'Z': 3}}")
        for letter, index in self.at.items():
            whole = hasattr(index, "__index__") and not isinstance(index, bool | np.bool)
            if letter not in tuple("STCZ") or not whole:
                raise ValueError(
                    f"{name} at {letter}={index!r}: give whole numbers along S, T, C or Z"
                )
        own = tuple((y, x) for y, x in corners.tolist())
        object.__setattr__(self, "points", own)
        object.__setattr__(self, "at", {name: int(at) for name, at in self.at.items()})

    def to_json(self) -> dict[str, Any]:
        """Plain values, which `read_outlines` takes."""
        points = [list(point) for point in self.points]
        plain: dict[str, Any] = {"points": points, "kind": self.kind}
        return {**plain, "at": dict(self.at)} if self.at else plain

    @property
    def corners(self) -> NDArray[np.float64]:
        """The points as an array, ``(n, 2)``."""
        return np.array(self.points)


def read_outlines(given: Sequence[Any]) -> list[Outline]:
    """Read shapes as people give them.

    Parameters
    ----------
    given : sequence
        Of outlines, of polygons as lists of (Y, X), or of mappings with ``"points"`` and, where
        these are no polygon's, or of one plane, ``"kind"`` and ``"at"``.

    Raises
    ------
    ValueError
        If one is neither; it is named by its number, from 0.
    """
    if given and all(_is_point(each) for each in given):
        # one polygon, not put into a list
        given = [given]
    read = []
    for number, each in enumerate(given):
        try:
            read.append(_outline(each))
        except ValueError as error:
            raise ValueError(f"shape {number}: {error}") from None
    return read


def _outline(given: Any) -> Outline:
    if isinstance(given, Outline):
        return given
    if not isinstance(given, Mapping):
        return Outline(given)
    unknown = sorted(set(given) - {"points", "kind", "at"})
    if unknown or "points" not in given:
        what = f"has {', '.join(map(str, unknown))}" if unknown else "has no points"
        raise ValueError(f"it {what}: give points, and where needed kind and at")
    return Outline(**given)


def _is_point(given: object) -> bool:
    pair = isinstance(given, list | tuple | np.ndarray) and len(given) == 2
    return pair and all(isinstance(n, int | float | np.number) for n in given)  # type: ignore[attr-defined]
