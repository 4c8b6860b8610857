"""What travels from the model to the writers: one region of an image and where it belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.patching import PatchSpecs, TileSpecs, is_tile_specs


class ImageRegionData(NamedTuple):
    """Predicted pixels of one region, and all that is needed to put them in their place."""

    data: NDArray[Any]
    """``C(Z)YX`` of the (folded) image: a tile's cropped core, or a whole tile."""
    source: str | Path
    """Where the image came from: a path or URI, ``"array"``, ``"layer:NAME"``."""
    data_shape: Sequence[int]
    """``SC(Z)YX`` shape of the (folded) image."""
    dtype: str
    """Data type of the image that was read."""
    axes: str
    """The image's own axes, nothing folded."""
    original_data_shape: Sequence[int]
    """The image's own shape, in the order of `axes`."""
    region_spec: PatchSpecs | TileSpecs
    """Where the region lies in the (folded) image."""
    additional_metadata: Mapping[str, Any]
    """Where the pipeline made the region: ``fold`` (axes folded into samples), ``channels`` (of the
    output; None for the image's own), ``tile_index``, ``input`` (raw input of the core, or
    None), ``metadata`` (the image's `ImageMetadata`), ``chunks`` and ``shards`` (of the image, in
    its own axes, or None). May be empty where nothing is folded, and the output has the channels of
    the regions."""


def crop_to_core(region: ImageRegionData) -> NDArray[Any]:
    """The part of a predicted tile that is kept.

    Parameters
    ----------
    region : ImageRegionData
        Its data is a core (size ``crop_size``) or a whole tile (size ``patch_size``): the shape
        tells which. Where both sizes are equal, so are core and tile.

    Returns
    -------
    numpy.ndarray
        ``C(Z)YX`` of size ``crop_size``. A view.

    Raises
    ------
    ValueError
        If the region is no tile, or its data has neither size.
    """
    specs = region.region_spec
    if not is_tile_specs(specs):
        raise ValueError(
            f"a region of {region.source} without crop and stitch coordinates is no tile; "
            "tiles come from TiledPatching"
        )
    size, crop, tile = (
        tuple(map(int, sizes))
        for sizes in (region.data.shape[1:], specs["crop_size"], specs["patch_size"])
    )
    if size == crop:
        return region.data
    if size == tile:
        return region.data[
            (
                slice(None),
                *(
                    slice(int(start), int(start) + length)
                    for start, length in zip(specs["crop_coords"], crop, strict=True)
                ),
            )
        ]
    raise ValueError(
        f"predicted tile of size {size} is neither the tile {tile} nor its core {crop}; "
        "give data as C(Z)YX"
    )


def layout_of(region: ImageRegionData) -> Layout:
    """Layout of the image that a region belongs to, and of its output.

    Raises
    ------
    ValueError
        If the region's shape is not that of such an image, which it would be if axes that are
        folded were told.
    """
    fold = str(region.additional_metadata.get("fold", ""))
    # None: as many as the image has, also where C is folded and each tile has one
    channels = region.additional_metadata.get("channels", region.data.shape[0])
    layout = _layout(
        region.axes,
        tuple(int(size) for size in region.original_data_shape),
        fold,
        None if channels is None or "C" in fold else int(channels),
    )
    shape = tuple(int(size) for size in region.data_shape)
    if shape != layout.view_shape:
        raise ValueError(
            f"a region of {region.source} says that its image is {shape} as SC(Z)YX, and "
            f"{layout.axes} {layout.shape} with {fold or 'nothing'} folded is {layout.view_shape}: "
            "give the axes that are folded as additional_metadata['fold']"
        )
    return layout


@lru_cache(maxsize=64)
def _layout(axes: str, shape: tuple[int, ...], fold: str, channels: int | None) -> Layout:
    return Layout(axes, shape, fold, channels)


def tile_block(region: ImageRegionData, layout: Layout) -> tuple[slice, ...]:
    """Slices of the whole output (order of ``layout.output_axes``) that a tile's core covers."""
    specs = region.region_spec
    if not is_tile_specs(specs):
        raise ValueError(f"a region of {region.source} without stitch coordinates is no tile")
    return layout.output_index(specs["sample_idx"], specs["stitch_coords"], specs["crop_size"])


def output_core(region: ImageRegionData, layout: Layout) -> NDArray[Any]:
    """A tile's core in the order of ``layout.output_axes``, sample-like axes with length 1."""
    core: NDArray[Any] = layout.to_output(np.asarray(crop_to_core(region)))
    return core
