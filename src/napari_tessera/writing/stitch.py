"""Predicted tiles back into whole images, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.patching import is_tile_specs
from napari_tessera.writing.convert import fill_value
from napari_tessera.writing.region_data import ImageRegionData, crop_to_core


def stitch_single_prediction(tiles: Sequence[ImageRegionData]) -> NDArray[Any]:
    """Stitch the tiles of one image.

    Parameters
    ----------
    tiles : sequence of ImageRegionData
        Tiles of one image stack in any order; cores or whole tiles, told apart by their shape.

    Returns
    -------
    numpy.ndarray
        ``SC(Z)YX`` of the (folded) image, in the tiles' data type, with as many channels as the
        tiles have. Where no tile is, NaN in float types and 0 in integer ones.

    Raises
    ------
    ValueError
        If there is no tile, or the tiles are not all of one image.
    """
    if not tiles:
        raise ValueError("no tiles to stitch; give at least one")
    first = tiles[0]
    samples, _, *space = (int(size) for size in first.data_shape)
    channels = first.data.shape[0]
    stitched = np.full(
        (samples, channels, *space), fill_value(first.data.dtype), dtype=first.data.dtype
    )
    for tile in tiles:
        if (
            tile.region_spec["data_idx"] != first.region_spec["data_idx"]
            or tuple(tile.data_shape) != tuple(first.data_shape)
            or tile.data.shape[0] != channels
        ):
            raise ValueError(
                f"tiles of {first.source} and {tile.source} are not of one image; stitch each "
                "image by itself, or use stitch_prediction"
            )
        core = crop_to_core(tile)
        specs = tile.region_spec
        assert is_tile_specs(specs)  # crop_to_core has refused everything else
        at = [
            slice(int(start), int(start) + int(size))
            for start, size in zip(specs["stitch_coords"], specs["crop_size"], strict=True)
        ]
        stitched[specs["sample_idx"]][(slice(None), *at)] = core
    return stitched


def stitch_prediction(
    tiles: Sequence[ImageRegionData],
) -> tuple[list[NDArray[Any]], list[str | Path]]:
    """Stitch the tiles of several images.

    Parameters
    ----------
    tiles : sequence of ImageRegionData
        Tiles of one or more image stacks, mixed in any order.

    Returns
    -------
    arrays : list of numpy.ndarray
        One ``SC(Z)YX`` array per image stack, by ascending ``data_idx``.
    sources : list of str or Path
        Where each image came from.
    """
    by_image: dict[int, list[ImageRegionData]] = {}
    for tile in tiles:
        by_image.setdefault(int(tile.region_spec["data_idx"]), []).append(tile)
    images = [by_image[data_idx] for data_idx in sorted(by_image)]
    return [stitch_single_prediction(image) for image in images], [
        image[0].source for image in images
    ]
