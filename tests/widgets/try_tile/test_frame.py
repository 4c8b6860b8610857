"""The frame around a tile."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_tessera.widgets.canvas import camera_of
from napari_tessera.widgets.try_tile.frame import FRAME_NAME, WIDTH, TileFrame, outline

PART = st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda p: slice(p[0], p[0] + p[1]))


@given(letters=st.permutations("ZYX"), parts=st.tuples(PART, PART, PART), away=st.floats(0, 3))
def test_four_edges_go_round_the_block_in_each_of_its_planes(
    letters: list[str], parts: tuple[slice, slice, slice], away: float
) -> None:
    axes = "".join(letters)
    vectors = outline(axes, parts, away)
    z, y, x = (axes.index(letter) for letter in "ZYX")
    assert len(vectors) == 4 * (parts[z].stop - parts[z].start)
    assert set(vectors[:, 0, z]) == set(range(parts[z].start, parts[z].stop))
    assert not vectors[:, 1, z].any()
    ends = np.concatenate([vectors[:, 0], vectors.sum(axis=1)])
    for d in (y, x):
        assert np.isclose(ends[:, d].min(), parts[d].start - 0.5 - away)
        assert np.isclose(ends[:, d].max(), parts[d].stop - 0.5 + away)
    # Along one axis at a time, and closed: every corner ends as many edges as it begins.
    assert (np.count_nonzero(vectors[:, 1], axis=1) == 1).all()
    assert np.allclose(vectors[:, 1].sum(axis=0), 0)


def test_its_lines_are_as_wide_on_the_canvas_at_every_zoom() -> None:
    viewer = ViewerModel()
    source = viewer.add_image(np.zeros((3, 100, 100)), scale=(1, 0.5, 0.5))
    frame = TileFrame(viewer)
    frame.show(source, "ZYX", (slice(1, 2), slice(10, 40), slice(20, 60)))
    layer = frame.layer
    assert layer is not None
    for zoom in (1.0, 8.0, 0.2):
        camera_of(viewer).zoom = zoom
        assert np.isclose(layer.edge_width * 0.5 * zoom, WIDTH)
    assert viewer.layers.selection.active is source
    frame.show(source, "ZYX", (slice(0, 1), slice(0, 10), slice(0, 10)))
    assert [each.name for each in viewer.layers].count(FRAME_NAME) == 1
    viewer.layers.remove(frame.layer)
    assert frame.layer is None
    camera_of(viewer).zoom = 3
    frame.close()
    camera_of(viewer).zoom = 4
