"""Microscopes' own formats (CZI, ND2, LIF and others), read with bioio."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from napari_tessera.stacks.array import ArrayStack

try:
    from bioio import BioImage
except ImportError as error:
    raise ImportError(
        "this format is read with bioio, which is not installed: "
        'pip install "napari-tessera[bioio]"'
    ) from error


class BioioStack(ArrayStack):
    """One scene of a file that a reader plugin of bioio opens.

    Parameters
    ----------
    path : str or path
        The file.
    scene : str or int, optional
        Which scene, by name or number; by default the only one.
    axes : str, optional
        One letter per axis.
    channels : sequence of int, optional
        The channels that the stack consists of.
    level : int, optional
        Resolution level; 0 is the full size.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        scene: str | int | None = None,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        image = BioImage(resolved)
        if scene is not None:
            image.set_scene(scene)
        image.set_resolution_level(level)
        super().__init__(
            image.dask_data, axes or image.dims.order, source=str(resolved), channels=channels
        )
