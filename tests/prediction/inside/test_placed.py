"""Masks of another scale, place or direction than the image, against every pixel's centre."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction import PlacedMask, PlanError, TileArea
from napari_tessera.prediction.inside.deciding import kept_tiles
from napari_tessera.region import Region

SHAPE = (3, 30, 40)


def tiles_of(region: dict | None = None) -> TileArea:
    layout = Layout("ZYX", SHAPE, "Z")
    area = Region.from_selection("ZYX", SHAPE, region)
    return TileArea(layout, area, TiledPatching([layout.view_shape], (8, 8), (2, 2)))


def inside(mask: PlacedMask) -> np.ndarray:
    """Whether the centre of each pixel of the image lies in a mark."""
    at = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    own = at[..., ["ZYX".index(letter) for letter in mask.axes]]
    where = np.floor(own @ np.array(mask.matrix).T + mask.offset + 0.5).astype(int)
    marks = mask.pixels != 0
    marks = marks.any(axis=tuple(range(marks.ndim - len(mask.axes))))
    there = ((where >= 0) & (where < marks.shape)).all(axis=-1)
    found = np.zeros(SHAPE, bool)
    found[there] = marks[tuple(where[there].T)]
    return found


@st.composite
def masks(draw: st.DrawFn) -> PlacedMask:
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    axes = draw(st.sampled_from(["YX", "ZYX"]))
    further = draw(st.sampled_from([(), (2,)]))
    shape = tuple(int(n) for n in rng.integers(1, 40, len(axes)))
    pixels = np.zeros(further + shape, np.uint8)
    for _ in range(draw(st.integers(1, 3))):
        pixels[tuple(rng.integers(0, n) for n in pixels.shape)] = 1
    steps = rng.choice([0.25, 0.5, 1.0, 1.5, -1.0], len(axes))
    if axes == "ZYX":
        steps[0] = rng.choice([1.0, -1.0, 0.5])
    matrix = np.diag(steps)
    if draw(st.booleans(), label="turned"):
        angle = rng.uniform(0, np.pi)
        matrix[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    offset = rng.uniform(-5, 20, len(axes))
    return PlacedMask(pixels, axes, tuple(map(tuple, matrix)), tuple(offset))


@settings(max_examples=50, deadline=None)
@given(masks(), st.sampled_from([None, {"Z": slice(1, 3), "Y": slice(5, 28), "X": slice(3, 33)}]))
def test_tiles_of_the_pixels_whose_centre_lies_in_the_mask_are_kept(
    mask: PlacedMask, region: dict | None
) -> None:
    tiles = tiles_of(region)
    within = np.zeros(SHAPE, bool)
    within[np.ix_(*tiles.region.indices)] = True
    marked = inside(mask) & within
    expected = np.array([marked[tiles.block(i)].any() for i in range(tiles.n_tiles)])
    kept, message = None, ""
    try:
        kept = kept_tiles(tiles, mask)
    except PlanError as error:
        message = str(error)
    if message:
        assert message.startswith("nothing of the area is inside the mask")
        assert not expected.any()
        return
    own = TileArea(tiles.layout, tiles.region, tiles.patching, kept)
    found = np.ones(tiles.n_tiles, bool) if own.skipped is None else ~own.skipped
    straight = np.array_equal(mask.matrix, np.diag(np.diag(mask.matrix)))
    assert not (expected & ~found).any()
    if not straight or (np.abs(np.diag(mask.matrix)) <= 1).all():
        assert np.array_equal(found, expected)
    else:
        # of a mask that is finer than the image, marks between the centres count too
        assert found.sum() <= expected.sum() + 3 * SHAPE[0]


def test_what_does_not_go_together_is_refused() -> None:
    pixels = np.ones((4, 4), np.uint8)
    for axes, matrix, offset in [
        ("ZYX", np.eye(3), (0, 0, 0)),
        ("YX", np.eye(3), (0, 0)),
        ("YX", np.eye(2), (0,)),
    ]:
        with pytest.raises(ValueError, match="give one row and one column for each of"):
            PlacedMask(pixels, axes, matrix, offset)
    for axes in ("TX", "TY"):
        with pytest.raises(PlanError, match=f"the mask lies along {axes}, the image has ZYX"):
            kept_tiles(tiles_of(), PlacedMask(pixels, axes, np.eye(2), (0, 0)))
