"""The tile at a position, and what is said and drawn of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.widgets.grid.mesh import Mesh
from napari_tessera.widgets.grid.tile_at import TileAt
from napari_tessera.widgets.grid.tile_states import DONE, FAILED, WAITING

SIZES = {"T": 3, "C": 2, "Z": 7, "Y": 50, "X": 41}


@settings(max_examples=30)
@given(data=st.data())
def test_its_core_holds_the_position_and_its_number_is_the_plans(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(["YX", "ZYX", "CYX", "TCZYX", "XYZ"]))
    dims = 3 if "Z" in axes and data.draw(st.booleans()) else 2
    region = {}
    for letter in axes:
        if data.draw(st.booleans()):
            start = data.draw(st.integers(0, SIZES[letter] - 1))
            region[letter] = slice(start, data.draw(st.integers(start + 1, SIZES[letter])))
    image = noisy(tuple(SIZES[letter] for letter in axes))
    patch = (4, 20, 20)[3 - dims :]
    plan = make_plan(image, axes, Blur(dims), patch_size=patch, overlaps=2, region=region)
    position = {a: data.draw(st.integers(0, SIZES[a] - 1)) for a in axes}
    tile = TileAt.of(plan, position)
    holding = [
        index
        for index in range(plan.tiles.n_tiles)
        if all(
            block.start <= position[letter] < block.stop
            for letter, block in zip(plan.layout.output_axes, plan.tiles.block(index), strict=True)
        )
    ]
    assert list(tile.numbers) == holding
    for letter, (start, stop) in tile.core.items():
        assert start <= position[letter] < stop
        first, last = tile.reads[letter]
        assert 0 <= first <= start
        assert stop <= last <= SIZES[letter]
    if holding:
        block = dict(zip(plan.layout.output_axes, plan.tiles.block(holding[0]), strict=True))
        for letter, (start, stop) in tile.core.items():
            assert (block[letter].start, block[letter].stop) == (start, stop)


def test_it_is_told_in_one_line() -> None:
    plan = make_plan(noisy((5, 100, 150)), "ZYX", patch_size=(40, 40), overlaps=(8, 8))
    states = np.zeros(plan.tiles.n_tiles, np.uint8)
    tile = TileAt.of(plan, {"Z": 3, "Y": 40, "X": 100})
    assert plan.tiles.shape == (5, 3, 5)
    states[tile.numbers[0]] = DONE
    assert tile.text(states) == (
        "tile 54 (row 2, column 4 of 3 × 5, z 3) · core Y 36–67 X 100–131 · "
        "reads Y 32–71 X 96–135 · done"
    )


def test_tiles_of_volumes_have_layers() -> None:
    image = noisy((12, 40, 40))
    plan = make_plan(image, "ZYX", Blur(3), patch_size=(6, 40, 40), overlaps=2)
    text = TileAt.of(plan, {"Z": 6, "Y": 1, "X": 1}).text(np.zeros(plan.tiles.n_tiles, np.uint8))
    assert "(layer 2, row 1, column 1 of 3 × 1 × 1)" in text
    assert "core Z 5–8 Y 0–39 X 0–39 · reads Z 4–9 Y 0–39 X 0–39 · waiting" in text


def test_one_tile_alone_reads_nothing_but_its_core() -> None:
    plan = make_plan(noisy((40, 40)), "YX", patch_size=(64, 64))
    text = TileAt.of(plan, {"Y": 1, "X": 1}).text(np.array([WAITING], np.uint8))
    assert text == "tile 1 (row 1, column 1 of 1 × 1) · core Y 0–39 X 0–39 · waiting"


def test_a_tile_that_was_not_asked_for_says_so() -> None:
    plan = make_plan(noisy((100, 100)), "YX", patch_size=(32, 32), region={"Y": slice(0, 20)})
    tile = TileAt.of(plan, {"Y": 90, "X": 5})
    assert tile.numbers == ()
    assert tile.text(np.zeros(plan.tiles.n_tiles, np.uint8)).endswith(" · not in the area")


def test_tiles_of_several_colours_are_told_together() -> None:
    plan = make_plan(noisy((64, 32, 3)), "YXC", patch_size=(32, 32), overlaps=0)
    tile = TileAt.of(plan, {"Y": 40, "X": 5})
    assert tile.numbers == (1, 3, 5)
    states = np.full(6, DONE, np.uint8)
    assert tile.text(states).endswith("done")
    states[3] = FAILED
    assert tile.text(states).endswith("failed")


def test_its_outlines_are_solid_and_dashed() -> None:
    plan = make_plan(noisy((300, 300)), "YX", patch_size=(128, 128), overlaps=(32, 32))
    tile = TileAt.of(plan, {"Y": 150, "X": 150})
    mesh = Mesh((1.0, 1.0))
    tile.outline(mesh, "YX")
    # Four solid edges with their casings, and at least five dashes an edge with theirs.
    assert len(mesh) >= 2 * 4 + 2 * 4 * 5
    vertices = mesh.build((300, 300))[0]
    first, last = tile.reads["Y"]
    assert vertices[:, 0].min() >= first - 3
    assert vertices[:, 0].max() <= last + 3
    small = Mesh((50.0, 50.0))
    tile.outline(small, "YX")
    assert len(small) <= 2 * 4 + 2 * 4 * 2
    alone = Mesh((1.0, 1.0))
    TileAt.of(make_plan(noisy((40, 40)), "YX"), {"Y": 1, "X": 1}).outline(alone, "YX")
    assert len(alone) == 8
    across = Mesh((1.0, 1.0))
    stack = make_plan(noisy((5, 64, 64)), "ZYX", patch_size=(32, 32))
    TileAt.of(stack, {"Z": 1, "Y": 1, "X": 1}).outline(across, "ZX")
    assert len(across) == 0
