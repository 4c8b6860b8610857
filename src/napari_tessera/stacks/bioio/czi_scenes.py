"""Scenes of CZI files that bioio-czi does not reach, or could not read without a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from aicspylibczi import CziFile
from numpy.typing import NDArray
from pylibCZIrw import czi

from napari_tessera.stacks.checks import error_line
from napari_tessera.stacks.reading.block_pixels import BlockPixels, Cell

_DIMS = "TCZYX"
_COUNTED_ELSEWHERE = "SMA"
_TYPES = {"gray8": "uint8", "gray16": "uint16", "gray32float": "float32"}


class CziScenePixels(BlockPixels):
    """Array-like (T, C, Z, Y, X) over one scene, of which planes are read by Zeiss' own library.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    scene : int
        Number of the scene in the file.
    rectangle : pylibCZIrw.czi.Rectangle
        Where it lies.
    ranges : dict
        First entry, and the one after the last, of its other dimensions.
    dtype : str
        Type of the pixels.
    """

    dims = _DIMS
    """What the axes are."""

    def __init__(
        self, path: Path, scene: int, rectangle: Any, ranges: dict[str, Any], dtype: str
    ) -> None:
        bounds = [ranges.get(dim, (0, 1)) for dim in _DIMS[:-2]]
        planes = [(1,) * (stop - start) for start, stop in bounds]
        super().__init__(_DIMS, [*planes, (rectangle.h,), (rectangle.w,)], np.dtype(dtype))
        self._path = str(path)
        self._scene = scene
        self._rectangle = rectangle
        self._starts = dict(zip(_DIMS, (start for start, _ in bounds), strict=False))
        self._known = ranges.keys()

    def read_block(self, cell: Cell, part: tuple[slice, ...]) -> NDArray[np.generic]:
        """Read a plane."""
        at = dict(zip(_DIMS, cell, strict=True))
        plane = {dim: start + at[dim] for dim, start in self._starts.items()}
        self._check_there(plane)
        with czi.open_czi(self._path) as file:
            block = file.read(plane=plane, scene=self._scene, roi=self._rectangle)
        # the last axis are the samples
        return np.asarray(block).reshape(1, 1, 1, *block.shape[:2])

    def _check_there(self, plane: dict[str, int]) -> None:
        """Zeiss' library reads zeros where there is no plane."""
        asked = {dim: at for dim, at in plane.items() if dim in self._known}
        with open(self._path, "rb") as opened:
            try:
                CziFile(opened).get_all_tile_bounding_boxes(S=self._scene, **asked)
            except Exception as error:
                raise OSError(
                    f"the plane cannot be found in the file: {error_line(error)}"
                ) from error


def scene_pixels(path: Path, number: int, listed: bool) -> CziScenePixels | None:
    """Pixels of a scene that has to be read without bioio-czi; None of all others.

    bioio-czi 3 takes a file whose metadata lists no scenes to have one. aicspylibczi 4.0.1, with
    which it reads, makes room for planes of the first scene's size, and writes beyond it where a
    later scene, not in tiles, has larger ones.

    Parameters
    ----------
    path : pathlib.Path
        A CZI file.
    number : int
        Which of its scenes.
    listed : bool
        Whether its metadata lists the scenes.

    Raises
    ------
    ValueError
        If such a scene is of colours, or has dimensions besides T, C, Z, Y and X.
    """
    with czi.open_czi(str(path)) as file:
        rectangles = file.scenes_bounding_rectangle_no_pyramid
        kinds = {kind.lower() for kind in file.pixel_types.values()}
    if number == 0 or len(rectangles) <= number:
        return None
    scenes = sorted(rectangles)
    first, own = rectangles[scenes[0]], rectangles[scenes[number]]
    with path.open("rb") as opened:
        shapes = CziFile(opened).get_dims_shape()
    ranges = next((r for r in shapes if r.get("S", (None,))[0] == scenes[number]), shapes[0])
    if listed and ("M" in ranges or own.w * own.h <= first.w * first.h):
        return None
    others = {dim for dim, (start, stop) in ranges.items() if stop - start > 1}
    others -= set(_DIMS + _COUNTED_ELSEWHERE)
    if others or len(kinds) > 1 or not kinds <= _TYPES.keys():
        what = f"dimensions {', '.join(sorted(others))}" if others else f"pixels {', '.join(kinds)}"
        raise ValueError(
            f"{path}#{number}: {what} can be read of the first scene only; save the scene as a "
            "file of its own"
        )
    return CziScenePixels(path, scenes[number], own, ranges, _TYPES[kinds.pop()])
