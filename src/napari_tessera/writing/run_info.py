"""What a writer may know of a run before its first region comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.writing.chunks.coverage import Coverage
from napari_tessera.writing.chunks.workers import Workers


@dataclass(frozen=True)
class RunInfo:
    """One run over one image.

    Parameters
    ----------
    layout : Layout
        The image, what is folded, and its output.
    region : Region
        Part of the output that is wanted, over ``layout.output_axes`` and ``output_shape``.
    metadata : ImageMetadata
        Pixel size, units, translation and channel names of the image (its whole, not the
        region's).
    source : str
        Where the image came from.
    output_dtype : numpy.dtype
        Data type that is written.
    total_tiles : int
        Number of tiles that are predicted, finished ones included and skipped ones not.
    patch_size, overlaps : tuple of int
        Of the tile grid, along ``layout.spatial_axes``, in pixels.
    tile_index_block : callable
        From a tile's number to the slices of the whole output that its core covers.
    plan : mapping
        The plan, JSON-able; stored with the result.
    fingerprint : str
        Hash of what decides the pixels.
    resume : bool
        Go on with what a stopped run of the same fingerprint left.
    done : bytearray, optional
        One byte per tile, not 0 for tiles that the run will not deliver, as they are done; None
        if all come.
    origins : tuple of pathlib.Path
        Local files and folders that the image is read from (see `stacks.read_origins`); none of
        them is written over.
    model : mapping
        Name, SHA-256 and licence of the model (of each channel's, where each has its own),
        JSON-able; stored with the result.
    input_dtype, input_fingerprint : str
        Data type of the image, and a hash of pixels of it; empty where unknown.
    input_files : mapping of str to (int, int)
        Size in bytes and time of change in ns of the local files that the image is read from, by
        path, as far as they are known: a run is not gone on with where they changed.
    source_chunks, source_shards : tuple of int, optional
        Chunks and shards of the image where it is a Zarr array, in the order of its own axes.
    read_input : callable, optional
        From slices of the whole image, in its own axes, to its pixels there: for what is copied
        through. None where the image cannot be asked.
    dirpath : pathlib.Path, optional
        The folder that `WriteStrategy.write_batch` will be given, so that what a writer would find
        there is found before anything is predicted; None where it is not known yet.
    predict_again : callable, optional
        Asks, while a writer is opened, for tiles that count as done and whose pixels it lost. None
        where nobody can be asked.
    skipped : numpy.ndarray of bool, optional
        Of each tile whether it is never predicted; None where none is. Skipped tiles have numbers
        as others have.
    coverage : Coverage, optional
        What of an array of the region's shape comes; None where no tile is skipped.
    workers : Workers, optional
        Threads that the run lends to its writers until they are closed; None where a writer does
        all in the thread that calls it.
    """

    layout: Layout
    region: Region
    metadata: ImageMetadata
    source: str
    output_dtype: np.dtype[Any]
    total_tiles: int
    patch_size: tuple[int, ...]
    overlaps: tuple[int, ...]
    tile_index_block: Callable[[int], tuple[slice, ...]]
    plan: Mapping[str, Any]
    fingerprint: str
    resume: bool = False
    done: bytearray | None = None
    origins: tuple[Path, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)
    input_dtype: str = ""
    input_fingerprint: str = ""
    input_files: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    source_chunks: tuple[int, ...] | None = None
    source_shards: tuple[int, ...] | None = None
    read_input: Callable[[tuple[slice, ...]], NDArray[Any]] | None = None
    dirpath: Path | None = None
    predict_again: Callable[[Sequence[int]], None] | None = None
    skipped: NDArray[np.bool_] | None = None
    coverage: Coverage | None = None
    workers: Workers | None = None

    @property
    def n_tiles(self) -> int:
        """Number of tiles that have a number, those that are skipped included."""
        return self.total_tiles if self.skipped is None else int(self.skipped.size)

    def brings(self, tile: int) -> bool:
        """Whether a tile of that number comes: there is one, and it is not skipped."""
        return 0 <= tile < self.n_tiles and not (
            self.skipped is not None and bool(self.skipped[tile])
        )
