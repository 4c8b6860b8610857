"""Blocks against tiles: every count by arithmetic is what looking at each tile gives."""

from __future__ import annotations

import random
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.patching.windows import AxisWindows
from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.region import Region
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_cells import TileCells
from napari_tessera.writing.stored.block_cut import BlockCut
from napari_tessera.writing.stored.copied_channels import copied_channels, with_all_channels

SIZES = {"S": 3, "T": 4, "C": 3, "Z": 5, "Y": 40, "X": 33}


class Case:
    """A random plan, its tiles one by one, and a cut."""

    def __init__(self, seed: int) -> None:
        choice = random.Random(seed)
        letters = [*(letter for letter in "STCZ" if choice.random() < 0.6), "Y", "X"]
        axes = "".join(choice.sample(letters, len(letters)))
        shape = tuple(choice.randint(1, SIZES[letter]) for letter in axes)
        fold = "".join(letter for letter in "ZC" if letter in axes and choice.random() < 0.6)
        channels = choice.choice([None, 2]) if "C" not in fold else None
        layout = Layout(axes, shape, fold, channels)
        selection: dict[str, Any] = {}
        for letter, size in zip(layout.output_axes, layout.output_shape, strict=True):
            if choice.random() < 0.5 and (letter in layout.axes):
                if letter in layout.spatial_axes:
                    start = choice.randrange(size)
                    selection[letter] = slice(start, choice.randint(start + 1, size))
                elif letter in layout.sample_sizes:
                    n = choice.randint(1, size)
                    selection[letter] = sorted(choice.sample(range(size), n))
        region = Region.from_selection(layout.output_axes, layout.output_shape, selection)
        n_space = len(layout.spatial_axes)
        patch = [choice.choice([3, 8, 12]) for _ in range(n_space)]
        overlaps = [choice.choice([0, 2]) for _ in range(n_space)]
        patching = TiledPatching([layout.view_shape], patch, overlaps)
        self.blending = choice.choice(["crop", "linear"])
        area = TileArea(layout, region, patching)
        self.inside = None
        if choice.random() < 0.5:
            kept = np.array([choice.random() < 0.5 for _ in range(area.n_tiles)])
            kept[choice.randrange(area.n_tiles)] = True
            self.inside = KeptTiles.of(area.axes, kept.reshape(area.shape))
        self.area = TileArea(layout, region, patching, self.inside)
        values = {
            "input_axes": axes,
            "input_shape": list(shape),
            "fold": fold,
            "output_channels": channels,
            "region_selection": region.to_json(),
            "patch_size": patch,
            "overlaps": overlaps,
            "alignment": [1] * n_space,
            "blending": self.blending,
            "insets": [0] * n_space,
        }
        if self.inside is not None:
            values["inside"] = self.inside.to_json()
        self.cells = TileCells.of_plan({"fingerprint_of": values})
        copies = bool(copied_channels(layout, region)) and choice.random() < 0.7
        self.held = with_all_channels(region) if copies else region
        self.order = OmeOrder(self.held.axes, self.held.selected_shape)
        lengths = []
        for letter, size in zip(self.order.disk_axes, self.order.disk_shape, strict=True):
            free = letter != "C" or ("C" in fold and not copies)
            lengths.append(choice.randint(1, size + 2) if free else 1 if copies else size)
        self.cut = BlockCut(self.cells, self.held, tuple(lengths))
        skipped = self.area.skipped
        self.tiles = [
            tile for tile in range(self.area.n_tiles) if skipped is None or not skipped[tile]
        ]
        self.choice = choice

    def places(self, tile: int) -> tuple[slice, ...]:
        """Where a tile's core lies on disk."""
        placed = self.held.place(self.area.block(tile))
        assert placed is not None
        return self.order.to_disk_slices(placed[1])


def meet(one: tuple[slice, ...], other: tuple[slice, ...]) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_blocks_have_the_tiles_that_lie_in_them(seed: int) -> None:
    case = Case(seed)
    cut, windows = case.cut, [case.cut.window(n) for n in range(case.cut.n_blocks)]
    # they partition the array
    assert sum(prod(p.stop - p.start for p in w) for w in windows) == prod(case.order.disk_shape)
    owners: dict[int, int] = {}
    met: dict[int, list[int]] = {tile: [] for tile in case.tiles}
    for number, window in enumerate(windows):
        tiles = [tile for tile in case.tiles if meet(case.places(tile), window)]
        assert list(cut.tiles_meeting(number)) == tiles
        assert cut.n_meeting(number) == len(tiles)
        for tile in tiles:
            met[tile].append(number)
        owned = list(cut.owned_tiles(number))
        assert cut.n_owned(number) == len(owned)
        assert set(owned) <= set(tiles)
        for tile in owned:
            assert tile not in owners
            owners[tile] = number
            first = [part.start for part in case.places(tile)]
            assert all(w.start <= at < w.stop for at, w in zip(first, window, strict=True))
        # the regions of a block have its tiles, by their own numbers
        found = sum(
            TileArea(case.area.layout, part, case.area.patching).n_tiles
            for part in cut.regions(number)
        )
        assert found >= len(tiles)
        assert case.inside is not None or found == len(tiles)
        assert sum(prod(part.selected_shape) for part in cut.regions(number)) + _copied_pixels(
            case, number
        ) == prod(p.stop - p.start for p in window)
    assert sorted(owners) == case.tiles
    assert cut.n_tiles == len(case.tiles)
    alone = cut.alone()
    assert [bool(alone[tile]) for tile in case.tiles] == [len(met[t]) == 1 for t in case.tiles]
    empty = [
        not list(cut.tiles_meeting(number)) and not cut.copied(number)
        for number in range(cut.n_blocks)
    ]
    assert cut.empty().tolist() == empty

    done = np.array([case.choice.random() < 0.7 for _ in windows])
    of_tiles = cut.tiles_of(done)
    assert np.flatnonzero(of_tiles).tolist() == [
        tile for tile in case.tiles if all(done[number] for number in met[tile])
    ]
    tiles = np.array([case.choice.random() < 0.8 for _ in range(case.area.n_tiles)])
    assert cut.blocks_of(tiles).tolist() == [
        all(tiles[tile] for tile in cut.tiles_meeting(number)) for number in range(cut.n_blocks)
    ]


def _copied_pixels(case: Case, number: int) -> int:
    window = case.cut.window(number)
    channels = len(case.cut.copied(number))
    if not channels:
        return 0
    at = case.order.disk_axes.index("C")
    return channels * prod(p.stop - p.start for i, p in enumerate(window) if i != at)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_predicted_twice_is_counted(seed: int) -> None:
    case = Case(seed)
    cut, area = case.cut, case.area
    if case.inside is not None or cut.held != cut.cells.region:
        return

    def needed(regions: tuple[Region, ...]) -> int:
        found = 0
        for region in regions:
            part = TileArea(area.layout, region, area.patching)
            along = []
            for tiles, axis in zip(part.grid, area.patching.axes(0), strict=True):
                if case.blending == "crop":
                    along.append(len(tiles))
                    continue
                windows = AxisWindows(axis, 0, case.blending)
                each = [axis.tile(tile) for tile in tiles]
                met = [windows.meeting(stitch, stitch + size) for _, _, size, stitch in each]
                along.append(len(set().union(*met)))
            found += part.n_samples * prod(along)
        return found

    total = sum(needed(cut.regions(number)) for number in range(cut.n_blocks))
    assert cut.redundancy == pytest.approx(total / needed((cut.cells.region,)))


def test_blocks_that_are_looked_at_come_first() -> None:
    for seed in range(40):
        case = Case(seed)
        selection = {
            letter: case.choice.randrange(size)
            for letter, size in zip(case.held.axes, case.held.shape, strict=True)
            if case.choice.random() < 0.5
        }
        order = case.cut.first(selection)
        assert sorted(order) == list(range(case.cut.n_blocks))
        wanted = [
            number
            for number in range(case.cut.n_blocks)
            if any(
                all(
                    index in case.held.along(letter)[slice(*part[letter])]
                    for letter, index in selection.items()
                )
                for part in case.cut.held_stretches(number)
            )
        ]
        assert order[: len(wanted)] == wanted
        assert case.cut.first() == list(range(case.cut.n_blocks))


def test_there_are_no_other_blocks() -> None:
    cut = Case(0).cut
    with pytest.raises(IndexError, match=rf"block {cut.n_blocks} is outside"):
        cut.window(cut.n_blocks)
