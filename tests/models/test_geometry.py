from __future__ import annotations

import json
from typing import Any

import pytest

from napari_tessera.models import ModelGeometry, ValidSizes


def test_what_is_not_said_is_usual() -> None:
    geometry = ModelGeometry((26, 10), (4, 2), 1)
    assert geometry.output_scale == (1.0, 1.0)
    assert geometry.offset == geometry.far_offset == (0, 0)
    assert geometry.sizes == ValidSizes((4, 2), (4, 2), (None, None))
    assert geometry.largest_tile == (None, None)
    assert geometry.keeps_size
    assert not geometry.is_global
    assert ModelGeometry(None, (1, 1), 1).is_global
    assert not ModelGeometry(None, (1, 1), 1, output_scale=(1.0, 2.0)).keeps_size


def test_both_ends_lose_as_much_unless_it_is_said() -> None:
    assert ModelGeometry((3,), (1,), 1, offset=(2,)).far_offset == (2,)


def test_the_largest_tile_leaves_room_for_what_is_lost() -> None:
    sizes = ValidSizes((64, 64), (16, 0), (None, 64))
    lossy = ModelGeometry((9, 9), (1, 1), 1, offset=(4, 4), far_offset=(3, 2), sizes=sizes)
    assert lossy.largest_tile == (None, 58)
    # what comes out larger is cut, not padded
    assert ModelGeometry((1, 1), (1, 1), 1, offset=(-1, -1), sizes=sizes).largest_tile[1] == 64


@pytest.mark.parametrize("name", ["out_channels", "period", "output_scale", "sizes", "reach"])
@pytest.mark.parametrize("value", [float("inf"), -1, "x", [], {}, [float("inf")] * 2])
def test_what_was_kept_and_is_damaged_is_none(name: str, value: Any) -> None:
    geometry = ModelGeometry((26, 10), (4, 2), 1)
    kept = json.loads(json.dumps(geometry.to_json()))
    assert ModelGeometry.from_json(kept, 2) == geometry
    assert ModelGeometry.from_json({**kept, name: value}, 2) is None
