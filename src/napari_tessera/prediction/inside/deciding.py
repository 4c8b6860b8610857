"""From a mask or shapes, as people give them, to the tiles that are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.prediction.inside.outlines import Outline, read_outlines
from napari_tessera.prediction.inside.pixels import PixelMask, met_cells
from napari_tessera.prediction.inside.placed import PlacedMask
from napari_tessera.prediction.inside.touched import touched
from napari_tessera.prediction.plan import PlanError
from napari_tessera.prediction.read_block import read_block
from napari_tessera.stacks.opened import opened

NOTHING = "nothing of the area is inside the {}: draw over the image, or choose another area"


def kept_tiles(tiles: TileArea, inside: Any) -> KeptTiles | None:
    """Find the tiles whose core, as far as it lies in the region, meets a mask or shapes.

    Parameters
    ----------
    tiles : TileArea
        All tiles of the region.
    inside : sequence, mapping, array-like or anything that `open_stack` takes
        Shapes: a list of `Outline`, or of what `read_outlines` takes, or one of these. Or a mask,
        which is inside where it is neither 0 nor NaN, over the image's own axes, or the last ones
        of these: one plane holds for all planes, time points and channels; or a `PlacedMask`.

    Returns
    -------
    KeptTiles or None
        None where none is skipped.

    Raises
    ------
    PlanError
        Of field ``"area"``, if it does not fit the image, or nothing is inside.
    """
    if isinstance(inside, KeptTiles):
        kept, what = inside, "mask"
        try:
            kept.check(tiles.axes, tiles.shape)
        except ValueError as error:
            raise PlanError(
                f"the tiles that are kept are for other tiles: {error}", "area"
            ) from None
        return None if kept.keeps_all else kept
    if isinstance(inside, Outline | Mapping):
        inside = [inside]
    if isinstance(inside, list | tuple):
        what, met = "shapes", _of_outlines(tiles, inside)
    else:
        what, met = "mask", _of_mask(tiles, inside)
    if not met.any():
        raise PlanError(NOTHING.format(what), "area")
    kept = KeptTiles.of(tiles.axes, met)
    return None if kept.keeps_all else kept


def _of_outlines(tiles: TileArea, given: Sequence[Any]) -> NDArray[np.bool_]:
    """Tiles over the grid's axes, 1 long along those in which no outline has its plane."""
    try:
        outlines = read_outlines(given)
    except ValueError as error:
        raise PlanError(f"inside: {error}", "area") from None
    if not outlines:
        raise PlanError("inside: there is no shape: give one or more, or leave it out", "area")
    image = tiles.layout.axes
    for number, outline in enumerate(outlines):
        for letter in outline.at:
            if letter not in image:
                raise PlanError(
                    f"inside: shape {number} lies at {letter}={outline.at[letter]}, the image has "
                    f"{image}: leave it out",
                    "area",
                )
    cells = dict(zip(tiles.axes, tiles.cells, strict=True))
    planes = {letter for outline in outlines for letter in outline.at}
    shape = [
        n if letter in planes or letter in "YX" else 1
        for letter, n in zip(tiles.axes, tiles.shape, strict=True)
    ]
    # pixel i covers i − 0.5 to i + 0.5
    ys, xs = (np.array([cells[a][0][0], *(stop for _, stop in cells[a])]) - 0.5 for a in "YX")
    met = np.zeros(shape, np.bool_)
    for outline in outlines:
        # the tiles along each of the other axes that have its plane
        planes_of = [
            np.array(
                [
                    i
                    for i, (start, stop) in enumerate(cells[letter][:n])
                    if letter not in outline.at or start <= outline.at[letter] < stop
                ],
                np.intp,
            )
            for letter, n in zip(tiles.axes[:-2], shape, strict=False)
        ]
        if all(len(chosen) for chosen in planes_of):
            everywhere = (np.arange(n) for n in shape[-2:])
            met[np.ix_(*planes_of, *everywhere)] |= touched(outline, ys, xs)
    return met


def _of_mask(tiles: TileArea, given: Any) -> NDArray[np.bool_]:
    if isinstance(given, PlacedMask):
        if not {"Y", "X"} <= set(given.axes) <= set(tiles.layout.axes):
            raise PlanError(
                f"the mask lies along {given.axes}, the image has {tiles.layout.axes}: give one "
                "with Y and X",
                "area",
            )
        _check_numbers(getattr(given.pixels, "dtype", np.dtype(bool)))
        return given.met(tiles.axes, tiles.cells)
    try:
        with _mask(tiles, given) as mask:
            return met_cells(mask, tiles.axes, tiles.cells)
    except OSError as error:
        # damaged, or not for us; it names the file, which may be taken for the image's
        raise PlanError(f"the mask cannot be read: {error}", "area") from error


@contextmanager
def _mask(tiles: TileArea, given: Any) -> Iterator[PixelMask]:
    """Open what is given, and see which of the image's axes it has."""
    layout = tiles.layout
    if isinstance(given, np.ndarray):
        _check_numbers(given.dtype)
        axes = _axes_of(layout.axes, layout.shape, given.shape)
        yield PixelMask(_broadcast(axes, given.shape), given.shape, given.__getitem__)
        return
    with ExitStack() as files:
        try:
            stack = files.enter_context(opened(given))
        except (FileNotFoundError, ValueError) as error:
            raise PlanError(f"the mask cannot be opened: {error}", "area") from error
        _check_numbers(stack.data_dtype)
        axes = _axes_of(layout.axes, layout.shape, stack.original_data_shape, stack.original_axes)
        shape = tuple(int(size) for size in stack.original_data_shape)
        yield PixelMask(_broadcast(axes, shape), shape, partial(read_block, stack))


def _check_numbers(dtype: Any) -> None:
    """Raise PlanError unless pixels of a dtype are 0 or not, or NaN."""
    if np.dtype(dtype).kind not in "biuf":
        raise PlanError(
            f"the mask has pixels of {np.dtype(dtype)}: give bool, integers or real numbers, 0 "
            "outside",
            "area",
        )


def _broadcast(axes: str, shape: Sequence[int]) -> str:
    """Axes of a mask, with a small letter, which no grid has, where one pixel stands for all."""
    return "".join(
        letter.lower() if size == 1 and letter not in "YX" else letter
        for letter, size in zip(axes, shape, strict=True)
    )


def _axes_of(axes: str, shape: Sequence[int], size: Sequence[int], named: str | None = None) -> str:
    """Axes of a mask: those it names, else the last ones of the image, or those of its planes."""
    image = dict(zip(axes, shape, strict=True))
    own, plane = axes.replace("C", ""), "".join(letter for letter in axes if letter in "YX")
    for letters in (named, axes[-len(size) :], own[-len(size) :], plane):
        if letters is None or len(letters) != len(size):
            continue
        sizes = dict(zip(letters, size, strict=True))
        if {"Y", "X"} <= set(letters) and all(
            n == image.get(letter) or (n == 1 and letter not in "YX") for letter, n in sizes.items()
        ):
            return letters
    given = f"{named} " if named else ""
    wanted = dict.fromkeys((axes, own, plane))
    raise PlanError(
        f"the mask is {given}{_sized(size)}, the image {axes} {_sized(shape)}: give a mask of "
        + " or ".join(f"{each} {_sized([image[letter] for letter in each])}" for each in wanted),
        "area",
    )


def _sized(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes)) or "one number"
