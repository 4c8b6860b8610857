"""How large blocks are, for images from one tile to 10⁸ of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_tessera.region import Region
from napari_tessera.writing.chunks.chunking import choose_chunking
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_choice import MOST_BLOCKS, choose_cut, cut_to
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.copied_channels import with_all_channels


def cells_of(
    axes: str,
    shape: tuple[int, ...],
    patch: tuple[int, ...],
    overlaps: tuple[int, ...],
    fold: str = "",
    **values: Any,
) -> TileCells:
    plan = {
        "input_axes": axes,
        "input_shape": list(shape),
        "fold": fold,
        "output_channels": None,
        "region_selection": {},
        "patch_size": list(patch),
        "overlaps": list(overlaps),
        "alignment": [4] * len(patch),
        "blending": "crop",
        **values,
    }
    return TileCells.of_plan({"fingerprint_of": plan})


def units_of(cells: TileCells, held: Region, patch: int, overlap: int) -> tuple[int, ...]:
    order = OmeOrder(held.axes, held.selected_shape)
    steps = dict.fromkeys(cells.layout.spatial_axes, patch - overlap)
    chunking = choose_chunking(order.disk_axes, order.disk_shape, steps, np.float32)
    return chunking.shards or chunking.chunks


def chosen(cells: TileCells, slots: int, patch: int = 256, overlap: int = 56) -> BlockCut:
    return choose_cut(cells, cells.region, units_of(cells, cells.region, patch, overlap), slots)


@pytest.mark.parametrize("slots", [1, 2, 30, 100])
@pytest.mark.parametrize(
    "cells",
    [
        cells_of("TZYX", (100, 1000, 6144, 6144), (256, 256), (56, 56), "Z"),
        cells_of("YX", (2_000_000, 2_000_000), (256, 256), (56, 56)),
        cells_of("TZYX", (4000, 1000, 4096, 4096), (32, 256, 256), (8, 56, 56)),
    ],
    ids=["planes", "plane", "volumes"],
)
def test_a_hundred_million_tiles_are_a_hundred_thousand_blocks_at_most(
    cells: TileCells, slots: int
) -> None:
    assert cells.n_tiles > 5e7
    cut = chosen(cells, slots)
    assert 10_000 < cut.n_blocks <= MOST_BLOCKS
    assert cut.redundancy < 1.2
    assert cut.n_tiles / cut.n_blocks < 10_000
    # nothing is listed for it
    assert cut.n_owned(cut.n_blocks // 2) <= cut.n_meeting(cut.n_blocks // 2) < 10_000


@pytest.mark.parametrize("slots", [2, 4, 16])
def test_samples_are_cut_before_planes(slots: int) -> None:
    """No tile is predicted twice where there are samples enough, and all workers are busy."""
    cut = chosen(cells_of("TYX", (600, 1024, 1024), (256, 256), (56, 56)), slots)
    assert cut.redundancy == 1
    assert cut.n_blocks >= 4 * slots
    assert cut.lengths[1:] == (1024, 1024)
    channels = chosen(cells_of("CZYX", (4, 40, 512, 512), (256, 256), (56, 56), "ZC"), slots)
    assert channels.redundancy == 1
    assert channels.n_blocks >= 4 * slots


def test_a_plane_is_cut_for_the_workers_there_are() -> None:
    plane = cells_of("YX", (2048, 2048), (256, 256), (56, 56))
    assert chosen(plane, 1).n_blocks == 1
    two = chosen(plane, 2)
    assert two.n_blocks == 2
    assert two.redundancy <= 1.1
    # a tile more for each of many workers is no loss of time
    assert chosen(plane, 100).n_blocks == 64


def test_one_tile_is_one_block() -> None:
    assert chosen(cells_of("YX", (50, 50), (52, 52), (0, 0)), 100).n_blocks == 1


def test_blends_need_their_neighbours() -> None:
    plane = cells_of("YX", (4096, 4096), (256, 256), (56, 56), blending="linear", insets=[0, 0])
    crop = cells_of("YX", (4096, 4096), (256, 256), (56, 56))
    lengths = (1024, 1024)
    units = (256, 256)
    cuts = [cut_to(cells, cells.region, units, lengths) for cells in (plane, crop)]
    assert cuts[0].redundancy > cuts[1].redundancy > 1


def test_copied_channels_are_blocks_of_their_own() -> None:
    cells = cells_of(
        "TCYX", (3, 4, 512, 512), (256, 256), (56, 56), "C", region_selection={"C": [1, 3]}
    )
    held = with_all_channels(cells.region)
    cut = choose_cut(cells, held, units_of(cells, held, 256, 56), 2)
    assert cut.lengths[1] == 1
    for number in range(cut.n_blocks):
        channel = cut.window(number)[1].start
        assert cut.copied(number) == (() if channel in (1, 3) else (channel,))
        assert len(cut.regions(number)) == (channel in (1, 3))


@pytest.mark.parametrize(
    ("lengths", "fits"),
    [
        ((1, 3, 256, 512), True),
        ((5, 3, 10_000, 512), True),
        ((1, 3, 300, 512), False),
        ((1, 1, 256, 512), False),
        ((0, 3, 256, 512), False),
        ((1, 3, 256), False),
    ],
)
def test_only_whole_chunks_and_whole_tiles_are_blocks(lengths: tuple[int, ...], fits: bool) -> None:
    cells = cells_of("TCYX", (3, 3, 700, 512), (256, 256), (56, 56))
    units = (1, 1, 128, 256)
    if fits:
        assert cut_to(cells, cells.region, units, lengths).lengths == lengths
        return
    with pytest.raises(ValueError, match=r"blocks of \(.* do not fit TCYX .*: give multiples of"):
        cut_to(cells, cells.region, units, lengths)
