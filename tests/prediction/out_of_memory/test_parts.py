"""Parts of a tile: a partition, on the network's grid, with all that the network looks at."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.prediction.out_of_memory.parts import LEAST, most_cuts, parts


@st.composite
def geometries(draw: st.DrawFn, dims: int) -> ModelGeometry:
    def each(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(dims))

    period = each(1, 12)
    step = tuple(k * draw(st.integers(1, 3)) for k in period)
    return ModelGeometry(
        each(0, 40),
        period,
        1,
        offset=each(-2, 8),
        far_offset=each(-2, 8),
        sizes=ValidSizes(each(1, 50), step, (None,) * dims),
    )


@given(st.data(), st.integers(2, 3), st.integers(0, 12))
def test_parts_are_the_tile_and_see_what_the_network_looks_at(
    data: st.DataObject, dims: int, cuts: int
) -> None:
    geometry = data.draw(geometries(dims))
    size = data.draw(st.tuples(*[st.integers(1, 120)] * dims))
    assert geometry.reach is not None
    found = parts(size, geometry, cuts)
    times = np.zeros(size, np.uint8)
    for part in found:
        times[part.place] += 1
        for i, (given_, inner, place) in enumerate(
            zip(part.given, part.inner, part.place, strict=True)
        ):
            assert given_.start + inner.start == place.start
            assert given_.start + inner.stop == place.stop
            assert given_.start % geometry.period[i] == 0
            step, minimum = geometry.sizes.step[i], geometry.sizes.minimum[i]
            assert given_.start % step == 0
            assert given_.start == 0 or place.start - given_.start >= geometry.reach[i]
            assert given_.stop == size[i] or given_.stop - place.stop >= geometry.reach[i]
            assert 0 <= given_.start < given_.stop <= size[i]
            lost = max(geometry.offset[i], 0) + max(geometry.far_offset[i], 0)
            # padded as the tile is, and not up to the least that the network takes
            assert given_ == slice(0, size[i]) or given_.stop - given_.start + lost >= minimum
    assert (times == 1).all()


def seen(size: tuple[int, ...], geometry: ModelGeometry, cuts: int) -> int:
    return max(
        prod(one.stop - one.start for one in part.given) for part in parts(size, geometry, cuts)
    )


@given(st.data(), st.integers(2, 3))
def test_each_cut_gives_the_network_less(data: st.DataObject, dims: int) -> None:
    geometry = data.draw(geometries(dims))
    size = data.draw(st.tuples(*[st.integers(1, 150)] * dims))
    most = most_cuts(size, geometry)
    peaks = [seen(size, geometry, cuts) for cuts in range(most + 1)]
    assert peaks == sorted(set(peaks), reverse=True)
    assert parts(size, geometry, most + 3) == parts(size, geometry, most)
    edges = [min(s.stop - s.start for s in part.place) for part in parts(size, geometry, most)]
    assert len(edges) == 1 or min(edges) > 0


def test_a_u_net_is_cut_down_to_little_more_than_its_surroundings() -> None:
    unet = ModelGeometry((26, 26), (4, 4), 1)
    assert most_cuts((256, 256), unet) == 8
    assert {part.place[0].stop - part.place[0].start for part in parts((256, 256), unet, 1)} == {
        128
    }
    assert seen((256, 256), unet, 1) == 156 * 256
    assert seen((256, 256), unet, 8) == (28 + LEAST + 28) ** 2


def test_the_longest_axis_of_a_volume_comes_first() -> None:
    volume = ModelGeometry((4, 4, 4), (2, 2, 2), 1)
    (first, *_) = parts((32, 64, 128), volume, 1)
    assert [s.stop for s in first.place] == [32, 64, 64]
    (first, *_) = parts((32, 64, 128), volume, 3)
    assert [s.stop for s in first.place] == [32, 32, 32]


def test_what_needs_its_tile_whole_is_not_cut() -> None:
    whole = slice(0, 256)
    for geometry in (
        ModelGeometry(None, (1, 1), 1),
        ModelGeometry((3, 3), (1, 1), 1, sizes=ValidSizes.fixed((256, 256))),
        ModelGeometry((130, 200), (4, 4), 1),
    ):
        assert most_cuts((256, 256), geometry) == 0
        (part,) = parts((256, 256), geometry, 5)
        assert part.given == part.inner == part.place == (whole, whole)
