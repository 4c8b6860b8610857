"""What is around a Zarr array, and zarr's warnings on it."""

from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest
import zarr
from zarr.errors import ZarrUserWarning
from zarr.storage import LocalStore, LoggingStore, MemoryStore, ZipStore

from napari_tessera.stacks import open_stack
from napari_tessera.stacks.zarr.nodes import (
    child_node,
    consolidated,
    groups_around,
    innermost_store,
    is_zarr_folder,
    node_name,
    node_path,
    quiet_zarr,
    reading_mode,
    store_path,
)

from .zarr_files import random_image, store_array


def old_array(path: Path) -> Path:
    """An array of Zarr 2 whose metadata zarr warns of: an empty list of filters."""
    store_array(path, random_image(8, 8), zarr_format=2)
    described = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(described | {"filters": []}))
    return path


def test_zarr_warns_and_is_silenced(tmp_path: Path) -> None:
    path = old_array(tmp_path / "a.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ZarrUserWarning, match="empty list of filters"):
            zarr.open_array(path, mode="r")
        with quiet_zarr():
            zarr.open_array(path, mode="r")
            with pytest.raises(UserWarning, match="of someone else"):
                warnings.warn("of someone else", UserWarning, stacklevel=1)
        with pytest.raises(ZarrUserWarning, match="empty list of filters"):
            zarr.open_array(path, mode="r")


def test_threads_that_open_leave_no_filter_behind(tmp_path: Path) -> None:
    path, together = old_array(tmp_path / "a.zarr"), Barrier(4)

    def open_many(_: int) -> None:
        together.wait(30)
        for _ in range(20):
            open_stack(path).close()

    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(open_many, range(4)))
    assert list(warnings.filters) == before


@pytest.mark.parametrize("first_out", ["quiet", "caught"])
def test_it_goes_with_other_filters_in_any_order(first_out: str) -> None:
    """As where two threads are inside at the same time."""
    with warnings.catch_warnings():
        before = list(warnings.filters)
        quiet, again, caught = ExitStack(), ExitStack(), ExitStack()
        quiet.enter_context(quiet_zarr())
        again.enter_context(quiet_zarr())
        caught.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for inside in (quiet, again, caught) if first_out == "quiet" else (caught, quiet, again):
            inside.close()
        assert list(warnings.filters) == before


def test_filters_set_meanwhile_stay() -> None:
    with warnings.catch_warnings():
        with quiet_zarr():
            warnings.filterwarnings("ignore", "of the user")
        assert warnings.filters[0][:1] == ("ignore",)
        assert len([f for f in warnings.filters if type(f[3]).__name__ == "_OfZarr"]) == 0


def test_names_and_paths(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    array = group.create_array("in/cells", shape=(4, 4), chunks=(2, 2), dtype="u1")
    assert node_path(array) == tmp_path / "a.zarr" / "in" / "cells"
    assert node_name(array) == str(tmp_path / "a.zarr" / "in" / "cells")
    assert is_zarr_folder(tmp_path / "a.zarr")
    assert not is_zarr_folder(tmp_path)
    around = [(found.path, path) for found, path in groups_around(array)]
    assert around == [("in", "cells"), ("", "in/cells")]
    child = child_node(group, "in/cells")
    assert isinstance(child, zarr.Array)
    assert child_node(group, "in/other") is None
    for outside in ("..", "in/../..", "", "/"):
        with pytest.raises(ValueError, match="does not lead into the group"):
            child_node(group, outside)
    with pytest.raises(ValueError, match=r"a\.zarr lists what it holds"):
        consolidated(group)


def test_stores(tmp_path: Path) -> None:
    local, memory = LocalStore(tmp_path), MemoryStore()
    assert innermost_store(LoggingStore(LoggingStore(local))) is local
    assert store_path(LoggingStore(local)) == tmp_path
    assert store_path(memory) is None
    assert (reading_mode(memory), reading_mode(memory.with_read_only(True))) == ("r+", "r")
    with ZipStore(tmp_path / "a.zip", mode="w") as zipped:
        store_array(zipped, random_image(4, 4))
        assert node_name(zarr.open_array(zipped)) == str(tmp_path / "a.zip")
        assert node_path(zarr.open_array(zipped)) is None
