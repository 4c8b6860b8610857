"""HDF5 files: one dataset of them, and Imaris images, which are HDF5 too."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.axis_guess import guess_axes

try:
    import h5py
except ImportError as error:
    raise ImportError(
        'HDF5 is read with h5py, which is not installed: pip install "napari-tessera[hdf5]"'
    ) from error


class HDF5Stack(ArrayStack):
    """One dataset of an HDF5 file, read chunk by chunk as patches need them.

    Parameters
    ----------
    path : str or path
        The file.
    dataset : str, optional
        Which dataset; by default the only one that is an image.
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
        dataset: str | None = None,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        resolved = Path(path).resolve()
        if level != 0:
            raise ValueError(f"{resolved}: level {level} is outside 0…0")
        self._file = h5py.File(resolved, "r")
        found = self._file[dataset or next(iter(self._file))]
        super().__init__(
            found,
            axes or guess_axes(found.shape),
            source=f"{resolved}#{found.name}",
            channels=channels,
        )

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file.close()
