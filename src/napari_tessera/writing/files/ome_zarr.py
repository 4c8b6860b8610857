"""OME-Zarr images out of whole arrays."""

from __future__ import annotations

import glob
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store

from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.stacks.array import ArrayLike
from napari_tessera.writing.chunks.chunking import choose_chunking
from napari_tessera.writing.chunks.grid import ChunkGrid, ChunkIndex, Slices, indices
from napari_tessera.writing.chunks.pyramid import Pyramid
from napari_tessera.writing.files.formats import OME_ZARR
from napari_tessera.writing.files.partial import telling_of_no_room
from napari_tessera.writing.files.pixels import BLOCK_LIMIT, OrderedPixels
from napari_tessera.writing.ome.arrays import check_compression
from napari_tessera.writing.ome.channels import channel_attributes
from napari_tessera.writing.ome.metadata import check_version, image_attributes, zarr_format
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.places.checks import check_place
from napari_tessera.writing.places.lock import lock_store
from napari_tessera.writing.places.packing import pack
from napari_tessera.writing.places.removal import delete_store
from napari_tessera.writing.places.retrying import StoreError
from napari_tessera.writing.places.target import Target, zarr_target
from napari_tessera.writing.stored.image_levels import create_levels, image_levels
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE, FINISHED
from napari_tessera.writing.stored.targets import check_store

_PLANE_STEPS = {"Y": 512, "X": 512}
"""Chunks of an image that is not cut into tiles: 512² of a plane."""

_UNFINISHED = ".unfinished"
"""Ending of the hidden folder that an image is built in."""


def write_ome_zarr(
    file_path: str | PathLike[str] | Store,
    img: ArrayLike,
    *,
    axes: str,
    metadata: ImageMetadata | None = None,
    made_by: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    compression: str = "zstd",
    ome_version: str = "0.5",
    chunks: int | Sequence[int] | None = None,
    pyramid: bool = True,
    memory_limit: int = BLOCK_LIMIT,
) -> Path | str | Store:
    """Write an image as OME-Zarr with a pyramid, each chunk once.

    The axes are in OME's order, S and T one axis T, S-major. NaN is kept. The image is read a block
    at a time. A local folder or ZIP file appears under its name when it is complete; elsewhere
    what is begun is deleted after an error.

    Parameters
    ----------
    file_path : str, path-like or zarr.abc.store.Store
        Where to write: ``NAME.ome.zarr``, ``NAME.ome.zarr.zip``, a URL that fsspec knows, a store.
    img : array-like
        The image, float or integer: a NumPy array, or anything that has a shape and a data type
        and gives pixels of slices.
    axes : str
        Its axes, letters out of ``STCZYX``.
    metadata : ImageMetadata, optional
        Pixel sizes, units, translation and channel names; of these axes or others.
    made_by : mapping, optional
        What made the image, JSON-able: stands in the attribute ``napari_tessera``.
    overwrite : bool, default False
        Replace a Zarr store that is there. Nothing else is ever replaced.
    compression : {"zstd", "lz4", "gzip", "none"}
        How chunks are packed.
    ome_version : {"0.5", "0.4"}
        Version of OME-Zarr; 0.4 is stored in Zarr 2, without shards.
    chunks : int or sequence of int, optional
        Lengths of chunks along the last axes on disk, or one for Y and X; others get 1.
        Default: those of the image where they serve, else 512² of a plane (see `choose_chunking`).
    pyramid : bool, default True
        Write smaller levels too (see `plan_levels`).
    memory_limit : int, optional
        Bytes of pixels to read at a time; one chunk or shard at least.

    Returns
    -------
    pathlib.Path, str or zarr.abc.store.Store
        Where it was written: a path where that is local, else what was given.

    Raises
    ------
    FileExistsError
        If something is there and ``overwrite`` is False, or it is no Zarr store.
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder is missing, no folder, or read-only.
    StoreBusyError
        If another run writes there.
    ValueError
        If the axes do not describe the image, or a setting does not fit.
    OSError
        Whatever reading or writing raises; nothing is left then, but for an image that cannot be
        packed into its ZIP file: it stays in a folder that the error names.
    """
    target = zarr_target(file_path)
    version, codec = check_version(ome_version), check_compression(compression)
    order = OmeOrder(axes, tuple(img.shape))
    pixels = OrderedPixels(img, axes, order.disk_axes)
    dtype = OME_ZARR.stored_dtype(pixels.dtype)
    region = Region.from_selection(axes, img.shape)
    meta = disk_metadata((metadata or ImageMetadata(axes)).with_axes(axes), region)
    chunking = choose_chunking(
        order.disk_axes,
        pixels.shape,
        _PLANE_STEPS,
        dtype,
        asked=(chunks, chunks) if isinstance(chunks, int) else chunks,
        source_chunks=pixels.chunks,
        sharding=zarr_format(version) == 3,
    )
    levels = image_levels(order, chunking, meta, pyramid=pyramid)
    attributes: dict[str, Any] = {}
    if made_by:
        attributes[ATTRIBUTE] = {
            **made_by,
            "state": FINISHED,
            "completed": True,
            "axes": axes,
            "shape": list(region.selected_shape),
        }
    check_place(target)
    check_store(target, overwrite=overwrite)
    with (
        lock_store(target),
        _complete_store(target, overwrite=overwrite) as building,
        telling_of_no_room(target.name, pixels.nbytes),
    ):
        describe = partial(
            image_attributes,
            meta,
            target.stem,
            version=version,
            factors=[level.total_factors for level in levels],
        )
        group = zarr.create_group(
            building.open_store(),
            zarr_format=zarr_format(version),
            attributes={**describe(), **attributes},
        )
        arrays = create_levels(group, levels, axes=order.disk_axes, dtype=dtype, compression=codec)
        upper = Pyramid(arrays, [level.factors for level in levels])
        grid = ChunkGrid.of(arrays[0])
        for part, chunks_of_part in _parts(grid, memory_limit // dtype.itemsize):
            read = pixels.read(part)
            for chunk in chunks_of_part:
                # one by one: of several at a time some would go on being written after an error
                block = read[_within(grid.region(chunk), part)]
                arrays[0][grid.region(chunk)] = block
                upper.take(chunk, block)
        omero = channel_attributes(arrays[0], meta)
        group.update_attributes(describe(omero=omero))
    return target.given if target.path is None or target.store is not None else target.path


@contextmanager
def _complete_store(target: Target, *, overwrite: bool) -> Iterator[Target]:
    """Make a store in the place of what is there when it is complete; after an error nothing."""
    if target.path is None or target.store is not None:
        # what is not a folder of ours cannot be given another name
        delete_store(target)
        try:
            yield target
        except BaseException:
            with suppress(OSError):
                delete_store(target)
            raise
        return
    # with the place's lock held, no other writer can be at these
    for killed in target.path.parent.glob(f".{glob.escape(target.path.name)}.*{_UNFINISHED}"):
        shutil.rmtree(killed, ignore_errors=True)
    folder = target.path.with_name(f".{target.path.name}.{uuid.uuid4().hex}{_UNFINISHED}")
    building = replace(target, path=folder)
    if target.zipped:
        delete_store(target)
        folder, building = target.folder or folder, target
    whole = False
    try:
        yield building
        whole = True
        if target.zipped:
            pack(target)
            return
        check_store(target, overwrite=overwrite)
        delete_store(target)
        if target.path.is_dir():
            # free, as it was looked at: empty but for what a killed write left
            shutil.rmtree(target.path)
        folder.rename(target.path)
    except BaseException as error:
        # what could not be packed is an image all the same: the error says where it is
        if not (whole and target.zipped and isinstance(error, StoreError)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _parts(grid: ChunkGrid, n_pixels: int) -> Iterator[tuple[Slices, list[ChunkIndex]]]:
    """Blocks of whole chunks, of at most so many pixels or one chunk, and the chunks of each."""
    room = max(n_pixels // prod(grid.lengths), 1)
    together = []
    for count in reversed(grid.counts):
        together.append(min(count, room))
        room = max(room // count, 1) if together[-1] == count else 1
    blocks = ChunkGrid(grid.counts, tuple(reversed(together)))
    for block in blocks:
        chunks = list(indices(blocks.region(block)))
        corners = zip(grid.region(chunks[0]), grid.region(chunks[-1]), strict=True)
        yield tuple(slice(first.start, last.stop) for first, last in corners), chunks


def _within(region: Slices, part: Slices) -> Slices:
    """A region of an array as slices of a part that it lies in."""
    return tuple(
        slice(own.start - around.start, own.stop - around.start)
        for own, around in zip(region, part, strict=True)
    )
