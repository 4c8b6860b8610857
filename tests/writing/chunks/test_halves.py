from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.writing.chunks.chunking import Chunking
from napari_tessera.writing.chunks.halves import SMALLEST_PLANE, halved, plane_levels
from napari_tessera.writing.chunks.levels import plan_levels


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_planes_are_halved_until_they_are_small(height: int, width: int) -> None:
    planes = [(height, width), *plane_levels(height, width)]
    for (tall, wide), (less_tall, less_wide) in pairwise(planes):
        assert max(tall, wide) > SMALLEST_PLANE
        assert (less_tall, less_wide) == (halved(tall), halved(wide))
        assert 2 * less_tall - tall in (0, 1)
        assert 2 * less_wide - wide in (0, 1)
    assert max(planes[-1]) <= SMALLEST_PLANE
    # the levels of a store are those of a file
    levels = plan_levels("YX", (height, width), Chunking((512, 512), None))
    assert [level.shape for level in levels] == planes
