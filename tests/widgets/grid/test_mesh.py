"""Strokes and rectangles as triangles."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tessera.widgets.grid.mesh import CASING, CASING_COLOUR, Mesh

RED = (1.0, 0.0, 0.0, 1.0)


def test_a_stroke_is_as_wide_on_the_screen_along_either_axis() -> None:
    # Pixels are 10 times as long downwards as to the right.
    mesh = Mesh((10.0, 1.0))
    mesh.strokes(
        np.array([[[50, 20], [50, 60]], [[100, 50], [300, 50]]], float), 4, RED, cased=False
    )
    vertices, triangles, colours = mesh.build((1000, 1000))
    assert len(mesh) == 2
    flat, upright = vertices.reshape(2, 4, 2)
    assert np.ptp(flat, axis=0) == pytest.approx([40, 40 + 4])
    assert np.ptp(upright, axis=0) == pytest.approx([200 + 40, 4])
    assert triangles.max() == 7
    assert (colours == np.array(RED, np.float32)).all()


def test_a_slanted_stroke_has_its_width_across() -> None:
    mesh = Mesh((1.0, 1.0))
    mesh.strokes(np.array([[[10, 10], [40, 50]]], float), 2, RED, cased=False)
    corners = mesh.build((100, 100))[0]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    assert sorted(edges) == pytest.approx([2, 2, 52, 52])


def test_casings_lie_below_all_strokes_of_a_call_and_are_wider() -> None:
    mesh = Mesh((1.0, 1.0))
    ends = np.array([[[20, 10], [20, 90]], [[10, 50], [90, 50]]], float)
    mesh.strokes(ends, 2, (1, 0, 0, 0.5))
    vertices, _, colours = mesh.build((100, 100))
    shades = colours[::4]
    dark = (*CASING_COLOUR[:3], CASING_COLOUR[3] / 2)
    assert shades[:2] == pytest.approx(np.array([dark, dark]))
    assert shades[2:] == pytest.approx(np.array([[1, 0, 0, 0.5]] * 2))
    heights = np.ptp(vertices.reshape(4, 4, 2), axis=1)[:, 0]
    assert heights[0] == pytest.approx(2 + 2 * CASING)
    assert heights[2] == pytest.approx(2)


def test_nothing_reaches_beyond_the_centres_of_border_pixels() -> None:
    mesh = Mesh((1.0, 1.0))
    mesh.rectangles(np.array([[[-0.5, -0.5], [99.5, 49.5]]]), RED)
    mesh.strokes(np.array([[[0, 0], [99, 49]]], float), 20, RED)
    vertices = mesh.build((100, 50))[0]
    assert vertices.min(axis=0).tolist() == [0, 0]
    assert vertices.max(axis=0).tolist() == [99, 49]


def test_a_copy_goes_its_own_way() -> None:
    mesh = Mesh((1.0, 1.0))
    mesh.rectangles(np.array([[[0, 0], [9, 9]]], float), RED)
    other = mesh.copy()
    other.rectangles(np.array([[[0, 0], [9, 9]]], float), RED)
    assert (len(mesh), len(other)) == (1, 2)


def test_an_empty_mesh_builds() -> None:
    mesh = Mesh((1.0, 1.0))
    mesh.strokes(np.zeros((0, 2, 2)), 2, RED)
    assert [len(part) for part in mesh.build((5, 5))] == [0, 0, 0]
