"""OME-Zarr images out of whole arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.files.pixels import SliceableImage


def write_ome_zarr(
    file_path: str | PathLike[str],
    img: SliceableImage,
    *,
    axes: str,
    metadata: ImageMetadata | None = None,
    made_by: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    compression: str = "zstd",
    ome_version: str = "0.5",
    chunks: Sequence[int] | None = None,
    pyramid: bool = True,
) -> Path:
    """Write an image as OME-Zarr."""
    raise NotImplementedError
