"""Outputs on disk: shown as they are written, temporary ones gone with their layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr
from tests.widgets.conftest import make_plan, noisy, run_into

from napari_tessera.widgets.disk_store import DiskStore
from napari_tessera.widgets.disk_view import DiskView, shown_as_stored
from napari_tessera.widgets.save_target import ResolvedTarget


@pytest.mark.parametrize(
    ("axes", "order", "plain"),
    [
        ("TCZYX", "TCZYX", True),
        ("YX", "YX", True),
        ("SYX", "SYX", True),
        ("XY", "XY", False),
        ("STYX", "STYX", False),
        ("TCYX", "CTYX", False),
    ],
)
def test_the_zarr_array_itself_is_shown_where_it_can_be(
    axes: str, order: str, plain: bool, tmp_path: Path
) -> None:
    sizes = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 40, "X": 50}
    image = noisy(tuple(sizes[a] for a in axes))
    plan = make_plan(image, axes)
    assert shown_as_stored(order, plan.region) is plain
    if order == axes:
        store = DiskStore(plan, axes, save=ResolvedTarget(tmp_path / "a.ome.zarr"))
        assert not store.ready
        run_into(store, plan, image, axes)
        assert store.ready
        assert isinstance(store.data(), zarr.Array if plain else DiskView)


def test_a_temporary_store_goes(tmp_path: Path) -> None:
    image = noisy((40, 40))
    plan = make_plan(image, "YX")
    store = DiskStore(plan, "YX")
    run_into(store, plan, image, "YX")
    assert store.is_temporary
    assert store.path.exists()
    store.dispose()
    assert not store.path.exists()
    saved = DiskStore(plan, "YX", save=ResolvedTarget(tmp_path / "a.ome.zarr"))
    run_into(saved, plan, image, "YX")
    saved.dispose()
    assert saved.path.exists()
