"""Shapes as people give them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_tessera.prediction import Outline
from napari_tessera.prediction.inside.outlines import read_outlines

SQUARE = [(0, 0), (0, 9), (9, 9), (9, 0)]


def test_polygons_are_lists_of_points_and_outlines_stay() -> None:
    kept = Outline(SQUARE, "ellipse", at={"Z": 3})
    read = read_outlines([SQUARE, kept, np.array(SQUARE, np.int16)])
    assert [each.kind for each in read] == ["polygon", "ellipse", "polygon"]
    assert read[1] is kept
    assert read[0] == read[2] == Outline(tuple(SQUARE))
    assert read_outlines(SQUARE) == [Outline(SQUARE)], "one polygon, not put into a list"
    assert read_outlines([]) == []


def test_outlines_are_plain_numbers() -> None:
    outline = Outline(np.array(SQUARE, np.float32), at={"Z": np.int64(3)})
    assert eval(repr(outline), {"Outline": Outline}) == outline
    assert outline.corners.shape == (4, 2)


@pytest.mark.parametrize(
    ("points", "kind", "at", "message"),
    [
        (SQUARE, "blob", {}, "kind 'blob' is none of polygon, ellipse, path"),
        (SQUARE[:2], "polygon", {}, "a polygon of 2 points: give 3 or more"),
        (SQUARE[:3], "ellipse", {}, "an? ellipse of 3 points: give 4, each"),
        ([*SQUARE, (4, 4)], "ellipse", {}, "an? ellipse of 5 points: give 4, each"),
        (SQUARE[:1], "path", {}, "a path of 1 points: give 2 or more"),
        ([(0, 0, 1), (1, 1, 1), (2, 2, 2)], "polygon", {}, "are no pairs of Y and X"),
        ([(0, 0), (1,), (2, 2)], "polygon", {}, "are no pairs of Y and X"),
        ([(0, 0), (0, np.nan), (2, 2)], "polygon", {}, "are no pairs of Y and X"),
        ("abc", "polygon", {}, "are no pairs of Y and X"),
        (SQUARE, "polygon", {"Y": 3}, "at Y=3: give whole numbers along S, T, C or Z"),
        (SQUARE, "polygon", {"Z": 2.5}, "at Z=2.5: give whole numbers"),
        (SQUARE, "polygon", {"Z": True}, "at Z=True: give whole numbers"),
        (SQUARE, "polygon", {"ST": 1}, "at ST=1: give whole numbers"),
        (SQUARE, "polygon", {3: 1}, "at 3=1: give whole numbers"),
        (SQUARE, "polygon", 3, "a polygon at 3: give its plane as {'Z': 3}"),
        (SQUARE, ["path"], {}, r"kind \['path'\] is none of polygon"),
    ],
)
def test_what_is_no_outline_is_refused(points: object, kind: str, at: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Outline(points, kind, at)


def test_what_is_stored_is_read_again() -> None:
    outlines = [Outline(SQUARE, "ellipse", at={"Z": 3}), Outline(SQUARE[:2], "path")]
    plain = json.loads(json.dumps([each.to_json() for each in outlines]))
    assert read_outlines(plain) == outlines
    assert plain[1] == {"points": [[0.0, 0.0], [0.0, 9.0]], "kind": "path"}
    for damaged, message in [({"kind": "path"}, "no points"), ({**plain[0], "z": 1}, "has z")]:
        with pytest.raises(ValueError, match=f"shape 0: it .*{message}.*: give points"):
            read_outlines([damaged])


def test_a_shape_that_is_none_is_named_by_its_number() -> None:
    with pytest.raises(ValueError, match="shape 1: the points of a polygon are no pairs"):
        read_outlines([SQUARE, "mask.tif"])
