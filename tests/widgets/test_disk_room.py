"""Room on disk that is asked for: what is skipped takes none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.widgets.conftest import make_plan, noisy

from napari_tessera.widgets.disk_room import check_room_to_wait, saved_bytes
from napari_tessera.widgets.plan_differences import can_be_adopted, differences
from napari_tessera.widgets.save_target import ResolvedTarget
from napari_tessera.widgets.speed import estimate_text
from napari_tessera.writing.files.formats import format_of

CORNER = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0)]
SETTINGS = {"patch_size": 32, "overlaps": 2}


def saved(path: Path) -> ResolvedTarget:
    return ResolvedTarget(path, format_of(path))


def test_tiles_that_are_skipped_take_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noisy((2, 90, 90))
    whole = make_plan(image, "ZYX", **SETTINGS)
    part = make_plan(image, "ZYX", inside=[CORNER], **SETTINGS)
    assert (part.total_tiles, part.tiles.n_tiles) == (2, 18)
    store, file = saved(tmp_path / "a.ome.zarr"), saved(tmp_path / "a.npy")
    assert saved_bytes(part, store) == pytest.approx(saved_bytes(whole, store) / 9, abs=1)
    assert saved_bytes(part, file) == saved_bytes(whole, file), "a file has all of its pixels"

    class Usage:
        free = whole.output_bytes // 2

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    check_room_to_wait(part, None)
    with pytest.raises(ValueError, match="choose a smaller area"):
        check_room_to_wait(whole, None)


def test_everything_is_estimated_with_no_tile_skipped() -> None:
    image = noisy((2, 90, 90))
    whole = make_plan(image, "ZYX", **SETTINGS)
    part = make_plan(image, "ZYX", inside=[CORNER], region={"Y": slice(0, 50)}, **SETTINGS)
    assert estimate_text([(part, 0.1)]) == estimate_text([(whole, 0.1)])
    assert "18 tiles" in estimate_text([(part, 0.1)])


def test_a_stored_run_inside_shapes_is_told_apart() -> None:
    image = np.asarray(noisy((2, 90, 90)))
    whole = make_plan(image, "ZYX", **SETTINGS)
    part = make_plan(image, "ZYX", inside=[CORNER], **SETTINGS)
    for one, other in ((whole, part), (part, whole)):
        assert differences(one.to_dict(), other, pixels=True) == "shapes or mask"
    # everything can be chosen in the dock; somebody else's shapes cannot
    assert can_be_adopted(whole.to_dict(), part)
    assert not can_be_adopted(part.to_dict(), whole)
    smaller = replace(whole, output_dtype="uint16")
    assert can_be_adopted(smaller.to_dict(), part)
