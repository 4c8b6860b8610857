"""Zarr stores that lie in one ZIP file."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath

from napari_tessera.stacks.zarr import ZarrStack


class ZippedZarrStack(ZarrStack):
    """A Zarr array, or a level of an OME-Zarr image, in a ZIP file.

    Parameters
    ----------
    path : str or path
        The ZIP file; the store's outermost group or array is at its root, or is its one folder.
    inner : str, optional
        Path of the array or image in the store, where it holds several.
    axes, channels, level
        As for `ZarrStack`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `ZarrStack`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        inner: str | None = None,
        axes: str | None = None,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
    ) -> None:
        inside = (inner or "").strip("/")
        source = f"{fspath(path)}#{inside}" if inside else path
        super().__init__(source, axes, channels=channels, level=level)
