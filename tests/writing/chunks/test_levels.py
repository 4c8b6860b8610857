from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.chunks.chunking import Chunking, choose_chunking
from napari_tessera.writing.chunks.downsample import downsample
from napari_tessera.writing.chunks.levels import level_scale, plan_levels

MICRO = ("micrometer",) * 3


def zyx(z: float, y: float, x: float, units: tuple[str | None, ...] | None) -> ImageMetadata:
    return ImageMetadata("ZYX", scale=(z, y, x), units=units)


def test_planes_are_halved_until_they_fit_a_chunk() -> None:
    levels = plan_levels("TYX", (3, 2001, 700), Chunking((1, 512, 512)))
    assert [level.shape for level in levels] == [(3, 2001, 700), (3, 1001, 350), (3, 501, 175)]
    assert [level.factors for level in levels] == [(1, 1, 1), (1, 2, 2), (1, 2, 2)]
    assert [level.total_factors for level in levels] == [(1, 1, 1), (1, 2, 2), (1, 4, 4)]
    assert [level.chunks for level in levels] == [(1, 512, 512), (1, 512, 350), (1, 501, 175)]


def test_a_small_image_has_one_level() -> None:
    assert (
        len(plan_levels("ZYX", (900, 512, 512), Chunking((16, 256, 256)), zyx(1, 1, 1, MICRO))) == 1
    )
    assert len(plan_levels("YX", (1, 513), Chunking((1, 512)))) == 2


def test_shards_fit_their_level_and_one_chunk_is_no_shard() -> None:
    levels = plan_levels("YX", (100_000, 100_000), Chunking((512, 512), (512, 8192)))
    assert len(levels) == 9
    # each half of those of the level before, as all that are begun are held
    assert [level.shards for level in levels[:5]] == [
        (512, 8192),
        (512, 4096),
        (512, 2048),
        (512, 1024),
        None,
    ]
    assert levels[4].shape == (6250, 6250)
    assert [level.shards for level in levels[-3:]] == [None, None, None]
    assert levels[-1].shape == levels[-1].chunks == (391, 391)


def test_small_planes_of_many_share_shards() -> None:
    shape = (200, 3, 50, 2048, 2048)
    chunking = choose_chunking("TCZYX", shape, {"Y": 448, "X": 448}, "float32")
    levels = plan_levels("TCZYX", shape, chunking)
    assert [level.shards for level in levels] == [
        (1, 1, 1, 2048, 2048),
        (1, 1, 2, 1024, 1024),
        (1, 1, 4, 512, 512),
    ]
    # nor do channels share them that are predicted and copied
    apart = plan_levels("TCYX", (900, 3, 512, 900), Chunking((1, 1, 512, 512), (8, 1, 512, 1024)))
    assert [level.shards for level in apart] == [(8, 1, 512, 1024), (6, 1, 256, 450)]


@pytest.mark.parametrize(
    ("metadata", "depths"),
    [
        # as fine as the plane, or finer: halved from the start
        (zyx(0.2, 0.2, 0.2, MICRO), [64, 32, 16]),
        (zyx(0.1, 0.2, 0.2, MICRO), [64, 32, 16]),
        # coarser: halved when the plane has become as coarse
        (zyx(0.4, 0.2, 0.2, MICRO), [64, 64, 32]),
        (zyx(1.0, 0.2, 0.2, MICRO), [64, 64, 64]),
        # the finer of Y and X counts
        (zyx(0.2, 0.2, 0.1, MICRO), [64, 64, 32]),
        (zyx(200, 0.2, 0.2, ("nanometer", "micrometer", "µm")), [64, 32, 16]),
        (zyx(0.2, 0.2, 0.2, ("millimeter", "micrometer", "micrometer")), [64, 64, 64]),
        (zyx(0.2004, 0.2, 0.2, MICRO), [64, 32, 16]),
        # steps are known, in whatever unit
        (zyx(0.2, 0.2, 0.2, None), [64, 32, 16]),
        # nothing is known of Z
        (zyx(1, 1, 1, None), [64, 64, 64]),
        (zyx(0.2, 0.2, 0.2, (None, "micrometer", "micrometer")), [64, 64, 64]),
        (zyx(0.0, 0.2, 0.2, MICRO), [64, 64, 64]),
        (ImageMetadata("YX", scale=(1, 1), units=MICRO[:2]), [64, 64, 64]),
        (ImageMetadata("ZYX"), [64, 64, 64]),
        (None, [64, 64, 64]),
    ],
)
def test_depth_is_halved_where_it_is_as_fine(
    metadata: ImageMetadata | None, depths: list[int]
) -> None:
    levels = plan_levels("ZYX", (64, 2048, 2048), Chunking((16, 256, 256)), metadata)
    assert [level.shape[0] for level in levels] == depths


def test_one_plane_and_one_row_are_not_halved() -> None:
    levels = plan_levels("ZYX", (1, 1, 1100), Chunking((1, 1, 512)), zyx(1, 1, 1, MICRO))
    assert [level.factors for level in levels[1:]] == [(1, 1, 2), (1, 1, 2)]


@given(
    size=st.integers(2, 3000),
    scale=st.floats(0.01, 100),
    start=st.floats(-1000, 1000),
)
def test_a_pixel_of_a_level_lies_in_the_middle_of_those_it_is_made_of(
    size: int, scale: float, start: float
) -> None:
    # a ramp that says where each pixel lies: its mean is where the level's pixel lies
    where = start + scale * np.arange(size, dtype=np.float64)[None]
    for level in plan_levels("YX", (1, size), Chunking((1, 512))):
        where = downsample(where, level.factors)
        (_, step), (_, first) = level_scale((1.0, scale), (0.0, start), level.total_factors)
        whole = size // level.total_factors[1]
        np.testing.assert_allclose(where[0, :whole], first + step * np.arange(whole), atol=1e-6)
