"""The OME-Zarr image that a run writes to: made, or found and opened again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import zarr

from napari_tessera.region import Region
from napari_tessera.stacks.checks import error_line
from napari_tessera.writing.ome.arrays import check_compression
from napari_tessera.writing.ome.metadata import LEVEL, check_version, image_attributes, zarr_format
from napari_tessera.writing.ome.order import OmeOrder, disk_metadata
from napari_tessera.writing.places.keys import write_key
from napari_tessera.writing.places.removal import delete_store
from napari_tessera.writing.places.replaceable import why_kept
from napari_tessera.writing.places.target import Target, open_store
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stored.copied_channels import copied_channels, with_all_channels
from napari_tessera.writing.stored.differences import check_same_run
from napari_tessera.writing.stored.image_levels import (
    create_levels,
    image_chunking,
    image_levels,
    open_levels,
)
from napari_tessera.writing.stored.run_attributes import ATTRIBUTE, run_attributes

COPIED = "copied_channels"
"""Entry of the run's attribute: channels of the image that are copied and not predicted."""


@dataclass(frozen=True)
class ImageOptions:
    """How an image is stored; a run that goes on keeps what its store has.

    Parameters
    ----------
    ome_version : {"0.5", "0.4"}
        Version of OME-Zarr; 0.4 is stored in Zarr 2, without shards.
    compression : {"zstd", "lz4", "gzip", "none"}
        How chunks are packed.
    chunks : tuple of int, optional
        Lengths of chunks along the last axes on disk, others get 1. Default: see
        `choose_chunking`.
    pyramid : bool
        Whether smaller levels are written as well.
    copy_channels : bool
        Whether channels that are not predicted are copied from the image, where the result's
        channels are the image's.
    """

    ome_version: str = "0.5"
    compression: str = "zstd"
    chunks: tuple[int, ...] | None = None
    pyramid: bool = True
    copy_channels: bool = False


@dataclass(frozen=True)
class ImageStore:
    """An image that is open for writing.

    Parameters
    ----------
    group : zarr.Group
        Its group.
    arrays : list of zarr.Array
        Its levels, the full size first.
    region : Region
        Part of the output that it holds, copied channels included.
    order : OmeOrder
        The order of the region's axes on disk.
    stored : dict
        What the group says of the run.
    """

    group: zarr.Group
    arrays: list[zarr.Array[Any]]
    region: Region
    order: OmeOrder
    stored: dict[str, Any]

    @property
    def copied(self) -> tuple[int, ...]:
        """Channels that are copied."""
        return tuple(int(channel) for channel in self.stored.get(COPIED, ()))


def create_image(target: Target, run: RunInfo, options: ImageOptions) -> ImageStore:
    """Make an image, in the place of the Zarr store that is there.

    What can be wrong with the options is found before anything is deleted. The group comes first,
    so that a run that is killed here can be resumed, the array of the full size last.

    Raises
    ------
    ValueError
        If an option is none of those that there are, or the chunks do not fit.
    OSError
        Whatever deleting and writing raises.
    """
    version = check_version(options.ome_version)
    compression = check_compression(options.compression)
    copied = copied_channels(run.layout, run.region) if options.copy_channels else ()
    if run.read_input is None:
        copied = ()
    region = with_all_channels(run.region) if copied else run.region
    order = OmeOrder(region.axes, region.selected_shape)
    chunking = image_chunking(
        run,
        order,
        asked=options.chunks,
        sharding=zarr_format(version) == 3,
        channels_apart=bool(copied),
    )
    metadata = disk_metadata(run.metadata.with_axes(region.axes), region)
    levels = image_levels(order, chunking, metadata, pyramid=options.pyramid)
    stored = run_attributes(run, axes=region.axes, shape=region.selected_shape)
    if copied:
        stored[COPIED] = list(copied)
    attributes = image_attributes(
        metadata,
        target.stem,
        version=version,
        factors=[level.total_factors for level in levels],
    )
    delete_store(target)
    store = open_store(target)
    if zarr_format(version) == 2:
        # zarr writes both files at once, and the second one by itself would be known for nothing
        write_key(store, ".zgroup", b'{"zarr_format": 2}')
        write_key(store, ".zattrs", json.dumps({**attributes, ATTRIBUTE: stored}).encode())
        group = zarr.open_group(store, mode="r+", zarr_format=2, use_consolidated=False)
    else:
        group = zarr.create_group(
            store, zarr_format=3, attributes={**attributes, ATTRIBUTE: stored}
        )
    arrays = create_levels(
        group, levels, axes=order.disk_axes, dtype=run.output_dtype, compression=compression
    )
    return ImageStore(group, arrays, region, order, stored)


def reopen_image(target: Target, run: RunInfo, *, copy_channels: bool = False) -> ImageStore | None:
    """Open the image of the same run that is there; nothing is written.

    Returns
    -------
    ImageStore or None
        None where the run was killed before its arrays were made: nothing is lost then.

    Raises
    ------
    ValueError
        If the store is of another run, saying what differs, was changed, or has no room for the
        channels that are to be copied.
    """
    group = zarr.open_group(open_store(target), mode="r+", use_consolidated=False)
    attributes: dict[str, Any] = group.attrs.asdict()
    stored = dict(attributes[ATTRIBUTE])
    check_same_run(stored, run, target.name)
    try:
        if LEVEL not in group:
            return None
        arrays = open_levels(group, attributes)
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise ValueError(_changed(target, error_line(error))) from error
    there, wanted = arrays[0].dtype, run.output_dtype.newbyteorder("=")
    if there.newbyteorder("=") != wanted:
        raise ValueError(
            f"{target.name} cannot be resumed: it is {there}, {wanted} is asked for; ask for the "
            "same data type, or choose another name"
        )
    copied = stored.get(COPIED)
    if copied and copied != list(copied_channels(run.layout, run.region)):
        raise ValueError(_changed(target, f"{COPIED} {copied}"))
    if copy_channels and not copied and copied_channels(run.layout, run.region):
        raise ValueError(
            f"{target.name} cannot be resumed with channels copied: its run was started without "
            "them; resume without copy_channels, or overwrite it"
        )
    region = with_all_channels(run.region) if copied else run.region
    order = OmeOrder(region.axes, region.selected_shape)
    if arrays[0].shape != order.disk_shape:
        raise ValueError(_changed(target, f"shape {arrays[0].shape}"))
    return ImageStore(group, arrays, region, order, stored)


def _changed(target: Target, what: str) -> str:
    replace_it = "" if why_kept(target) else "overwrite it, or "
    return (
        f"{target.name} cannot be resumed, something else changed it ({what}): {replace_it}choose "
        "another name"
    )
