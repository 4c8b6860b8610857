"""Tiles whose cores partition the image."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching import TiledAxis, TiledPatching, is_tile_specs


@st.composite
def tiled_axes(draw: st.DrawFn) -> TiledAxis:
    k = draw(st.integers(1, 8))
    even = k if k % 2 == 0 else 2 * k
    overlap = even * draw(st.integers(0, 8))
    patch = k * draw(st.integers(overlap // k + 1, overlap // k + 40))
    size = draw(st.integers(1, 700))
    padded = -(-size // k) * k
    if k > 1 and patch >= padded:
        return TiledAxis(size, padded, 0, k)
    return TiledAxis(size, patch, overlap, k)


@given(tiled_axes())
def test_cores_partition_the_axis(axis: TiledAxis) -> None:
    expected = 0
    for i in range(axis.n):
        coord, crop, size, stitch = axis.tile(i)
        assert stitch == expected
        assert size >= 1
        assert crop >= 0
        assert crop + size <= axis.patch
        assert coord + crop == stitch
        assert coord % axis.alignment == 0
        # Between two tiles each core is half the overlap away from the tile's end.
        if i > 0:
            assert crop >= axis.overlap // 2
        if i < axis.n - 1:
            assert axis.patch - crop - size >= axis.overlap // 2
        expected = stitch + size
    assert expected == axis.size


@given(tiled_axes(), st.data())
def test_the_tile_of_a_pixel_is_found(axis: TiledAxis, data: st.DataObject) -> None:
    pixel = data.draw(st.integers(0, axis.size - 1))
    _, _, size, stitch = axis.tile(axis.containing(pixel))
    assert stitch <= pixel < stitch + size
    stop = data.draw(st.integers(pixel + 1, axis.size))
    met = [
        i
        for i in range(axis.n)
        if axis.tile(i)[3] < stop and axis.tile(i)[3] + axis.tile(i)[2] > pixel
    ]
    assert list(axis.meeting(pixel, stop)) == met


def reference(size: int, patch: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """The documented rules with alignment 1, case by case."""
    tiles: list[tuple[int, int, int, int]] = []
    for i in range(0, max(1, size - overlap), patch - overlap):
        if i == 0:
            tiles.append((0, 0, size if size <= patch else patch - overlap // 2, 0))
        elif i + patch < size:
            tiles.append((i, overlap // 2, patch - overlap, i + overlap // 2))
        else:
            coord = max(0, size - patch)
            stitch = tiles[-1][3] + tiles[-1][2]
            tiles.append((coord, stitch - coord, size - stitch, stitch))
    return tiles


@given(st.integers(1, 600), st.integers(1, 300), st.integers(0, 149))
def test_without_alignment_the_documented_rules_hold(size: int, patch: int, half: int) -> None:
    overlap = min(2 * half, (patch - 1) // 2 * 2)
    axis = TiledAxis(size, patch, overlap)
    assert [axis.tile(i) for i in range(axis.n)] == reference(size, patch, overlap)


def test_tiles_of_several_stacks_cover_every_pixel_once() -> None:
    shapes = [(2, 1, 37, 50), (1, 3, 64, 20)]
    patching = TiledPatching(shapes, (16, 24), (4, 8))
    counts = [np.zeros((s[0], *s[2:]), int) for s in shapes]
    for index in range(patching.n_patches):
        spec = patching.get_patch_spec(index)
        assert is_tile_specs(spec)
        assert index in patching.get_patch_indices(spec["data_idx"])
        assert spec["total_tiles"] == len(patching.get_patch_indices(spec["data_idx"]))
        at = tuple(
            slice(s, s + n) for s, n in zip(spec["stitch_coords"], spec["crop_size"], strict=True)
        )
        counts[spec["data_idx"]][(spec["sample_idx"], *at)] += 1
    assert all((count == 1).all() for count in counts)


def test_a_grid_of_a_hundred_million_tiles_is_only_arithmetic() -> None:
    patching = TiledPatching([(100, 1, 100, 1_000_000, 1_000_000)], (100, 1000, 1000), (0, 0, 0))
    assert patching.n_patches == 100 * 1000 * 1000
    assert patching.get_patch_spec(patching.n_patches - 1)["stitch_coords"] == (0, 999000, 999000)
    assert isinstance(patching.get_patch_indices(0), range)


def test_more_tiles_than_64_bits_count_are_only_arithmetic() -> None:
    size = 10**12
    patching = TiledPatching([(10**9, 1, size, size)], (10, 10), (0, 0))
    assert patching.n_patches == 10**31
    last = patching.get_patch_spec(10**31 - 1)
    assert last["stitch_coords"] == (size - 10, size - 10)
    assert last["total_tiles"] == 10**31


def test_outside_is_an_index_error() -> None:
    patching = TiledPatching([(1, 1, 32, 32)], (16, 16), (4, 4))
    for index in (-1, patching.n_patches):
        with pytest.raises(IndexError, match="outside 0"):
            patching.get_patch_spec(index)
    with pytest.raises(IndexError, match="image stack 1 is outside"):
        patching.get_patch_indices(1)


@pytest.mark.parametrize(
    ("patch", "overlaps", "alignment", "message"),
    [
        ((64, 64), (57, 4), 1, "overlap Y: 57 is odd: use 56 or 58"),
        ((16, 16), (15, 4), 1, "overlap Y: 15 is odd: use 14"),
        ((16, 16), (57, 4), 1, "overlap Y: 57 is not less than the patch size 16: use 14 or less"),
        ((1, 16), (2, 4), 1, "overlap Y: 2 is not less than the patch size 1: use 0, or a larger"),
        ((16, 16), (4, 16), 1, "overlap X: 16 is not less than the patch size 16: use 14 or less"),
        ((16, 16), (-2, 4), 1, "overlap Y: -2 is below 0; use 0 or more"),
        ((0, 16), (0, 4), 1, "patch size Y: 0 is below 1; use 1 or more"),
        ((18, 16), (4, 4), 4, "patch size Y: 18 is no multiple of the alignment 4: use 16 or 20"),
        ((6, 16), (26, 4), (6, 1), "overlap Y: 26 is not less than the patch size 6: use 0, or a"),
        ((6, 16), (5, 4), (4, 1), "patch size Y: 6 is no multiple of the alignment 4: use 8"),
        ((27, 16), (9, 4), (9, 1), "overlap Y: 9 is odd: use 0 or 18"),
        ((16, 16), (4, 4), {2}, "alignment {2} is no sequence; give one whole number per axis"),
        ((16, 16), (6, 4), 4, "overlap Y: 6 is no multiple of the alignment 4: use 4 or 8"),
        ((16, 16), (8, 6), 8, "overlap X: 6 is no multiple of the alignment 8: use 0 or 8"),
        ((18, 18), (4, 6), 3, "overlap Y: 4 is no multiple of the alignment 3: use 0 or 6"),
        ((4, 16), (2, 4), 4, "overlap Y: 2 is no multiple of the alignment 4: use 0"),
        ((2, 16), (0, 4), 4, "patch size Y: 2 is no multiple of the alignment 4: use 4"),
        ((16,), (4, 4), 1, "patch size (16,) has 1 numbers, the image 2 spatial axes: give YX"),
        ((16.5, 16), (4, 4), 1, "patch size Y: 16.5 is not a whole number; use 1 or more"),
        ((float("nan"), 16), (4, 4), 1, "patch size Y: nan is not a whole number; use 1 or more"),
        ((16, 16), (4, 4), 0, "alignment Y: 0 is below 1; use 1 or more"),
        ((16, 16), (4, 4), (1, 2, 3), "alignment (1, 2, 3) has 3 numbers, the image 2 spatial"),
        ((16, 16), (4, 4), True, "alignment Y: True is not a whole number; use 1 or more"),
        ((16, 16), (4, 4), 1.5, "alignment Y: 1.5 is not a whole number; use 1 or more"),
    ],
)
def test_wrong_sizes_are_told_in_one_line(
    patch: tuple, overlaps: tuple, alignment: int, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        TiledPatching([(1, 1, 64, 64)], patch, overlaps, alignment)


def test_tiles_in_three_dimensions_partition_a_stack() -> None:
    patching = TiledPatching([(1, 1, 37, 101, 96)], (16, 64, 64), (8, 16, 16), alignment=4)
    count = np.zeros((37, 101, 96), int)
    for index in range(patching.n_patches):
        spec = patching.get_patch_spec(index)
        count[
            tuple(
                slice(s, s + n)
                for s, n in zip(spec["stitch_coords"], spec["crop_size"], strict=True)
            )
        ] += 1
    assert (count == 1).all()
    grid = patching.grid_shape(0)
    assert patching.n_patches == len(list(product(*(range(n) for n in grid))))


@given(st.integers(1, 40), st.integers(0, 50), st.integers(1, 12))
def test_every_number_that_is_suggested_will_do(patch: int, overlap: int, k: int) -> None:
    def refused(patch: int, overlap: int) -> str | None:
        try:
            TiledPatching([(1, 1, 64, 64)], (patch, 8), (overlap, 0), (k, 1))
        except ValueError as error:
            return str(error)
        return None

    message = refused(patch, overlap)
    if message is None:
        return
    suggested = [int(number) for number in re.findall(r"(?:use|or) (\d+)", message)]
    assert suggested
    if message.startswith("overlap"):
        assert all(refused(patch, number) is None for number in suggested)
    else:
        # The overlap may be wrong besides, and is refused after the patch only.
        found = [refused(number, overlap) for number in suggested]
        assert not any(one and one.startswith("patch") for one in found)
        if overlap < patch and overlap % k == 0 and overlap % 2 == 0:
            assert found == [None] * len(found)
