"""One call for every format."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from zarr.abc.store import Store

from napari_tessera.metadata import ImageMetadata
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.writing.files.formats import OME_TIFF, OME_ZARR, TIFF, format_of
from napari_tessera.writing.files.imagej_tiff import write_imagej_tiff
from napari_tessera.writing.files.npy import write_npy
from napari_tessera.writing.files.ome_tiff import write_ome_tiff
from napari_tessera.writing.files.ome_zarr import write_ome_zarr


def write_file(
    file_path: str | PathLike[str] | Store,
    img: ArrayLike,
    *,
    axes: str,
    metadata: ImageMetadata | None = None,
    format: str | None = None,
    compression: str | None = None,
    made_by: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path | str | Store:
    """Write an image in the format that is asked for.

    Parameters
    ----------
    file_path : str, path-like or zarr.abc.store.Store
        File to write; for OME-Zarr a folder, a ZIP file, a URL or a store.
    img : array-like
        The image: a NumPy array, or anything that has a shape and a data type and gives pixels of
        slices. It is read a block at a time.
    axes : str
        Its axes, letters out of ``STCZYX``.
    metadata : ImageMetadata, optional
        Pixel sizes, units and channel names, as far as the format holds them.
    format : str, optional
        Name or label of one of `FORMATS`; default: what the ending asks for (`format_of`).
    compression : str, optional
        One of the format's; default: its own.
    made_by : mapping, optional
        What made the image; kept by OME-Zarr and OME-TIFF.
    overwrite : bool, default False
        Replace what is there.
    **options
        More for the format's own function: `write_ome_zarr`, `write_ome_tiff`,
        `write_imagej_tiff`, `write_npy`.

    Returns
    -------
    pathlib.Path, str or zarr.abc.store.Store
        What was written: a path where that is local, else what was given.

    Raises
    ------
    FileExistsError
        If something is there and ``overwrite`` is False, or it is never replaced.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    StoreBusyError
        If another run writes there.
    ValueError
        If the ending, the format or its compression is unknown, the axes do not describe the
        image, or the format lacks its data type.
    OSError
        Whatever reading or writing raises; nothing is left then.
    """
    chosen = OME_ZARR if isinstance(file_path, Store) else format_of(file_path, format)
    codec = chosen.compression(compression)
    common: dict[str, Any] = {"axes": axes, "overwrite": overwrite, **options}
    if chosen is OME_ZARR:
        return write_ome_zarr(
            file_path, img, metadata=metadata, made_by=made_by, compression=codec, **common
        )
    assert not isinstance(file_path, Store)
    if chosen is OME_TIFF:
        return write_ome_tiff(
            file_path, img, metadata=metadata, made_by=made_by, compression=codec, **common
        )
    if chosen is TIFF:
        return write_imagej_tiff(file_path, img, metadata=metadata, **common)
    return write_npy(file_path, img, **common)
