from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing import Ledger, read_unfinished
from napari_tessera.writing.stored.run_attributes import (
    ended_attributes,
    resumed_attributes,
    run_attributes,
    software_versions,
)
from napari_tessera.writing.stored.stored_run import run_of, stored_run


@pytest.fixture
def about(tiled_image: Any) -> dict[str, Any]:
    run = tiled_image("YX", (40, 40), (20, 20), (0, 0)).run(output_dtype="uint8")
    return run_attributes(run)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_a_store_says_is_read_wherever_it_lies(
    tmp_path: Path, about: dict[str, Any], zarr_format: Any
) -> None:
    for store in (MemoryStore(), LocalStore(tmp_path / "a.zarr")):
        group = zarr.create_group(
            store, attributes={"napari_tessera": about}, zarr_format=zarr_format
        )
        Ledger(group, 4).mark_done([0, 2])
        where: Any = tmp_path / "a.zarr" if isinstance(store, LocalStore) else store
        run = read_unfinished(where)
        assert run is not None
        assert (run.completed, run.state, run.total_tiles, run.done) == (
            False,
            "writing",
            4,
            [0, 2],
        )
        assert (run.fingerprint, dict(run.plan)) == ("f00d", about["plan"])


def test_how_a_run_ends_and_goes_on(about: dict[str, Any]) -> None:
    stopped = ended_attributes(about, completed=False, clipped_pixels=7)
    assert (stopped["state"], stopped["finished"], stopped["clipped_pixels"]) == (
        "stopped",
        None,
        7,
    )
    assert resumed_attributes(stopped)["state"] == "writing"
    finished = ended_attributes(stopped, completed=True, clipped_pixels=9)
    assert (finished["state"], finished["completed"]) == ("finished", True)
    assert finished["started"] == about["started"] <= finished["finished"]
    run = run_of(finished)
    assert run is not None
    assert (run.completed, run.clipped_pixels) == (True, 9)
    group = zarr.create_group(MemoryStore(), attributes={"napari_tessera": finished})
    whole = stored_run(group)
    assert whole is not None
    assert whole.done == [0, 1, 2, 3]


def test_several_ledgers_of_a_group_are_told_apart(about: dict[str, Any]) -> None:
    group = zarr.create_group(MemoryStore(), attributes={"napari_tessera": about})
    Ledger(group, 4, "one").mark_done([3])
    run, none = stored_run(group, "one"), stored_run(group)
    assert run is not None
    assert none is not None
    assert (run.done, none.done) == ([3], [])


@pytest.mark.parametrize("stored", [None, [], {}, {"completed": False, "plan": 3}, "text"])
def test_what_is_not_ours_is_none(tmp_path: Path, stored: Any) -> None:
    assert run_of(stored) is None
    zarr.create_group(LocalStore(tmp_path / "a.zarr"), attributes={"napari_tessera": stored})
    assert read_unfinished(tmp_path / "a.zarr") is None


def test_what_is_no_group_is_none(tmp_path: Path) -> None:
    assert read_unfinished(tmp_path / "nothing.zarr") is None
    zarr.create_array(LocalStore(tmp_path / "array.zarr"), shape=(2,), dtype="uint8")
    assert read_unfinished(tmp_path / "array.zarr") is None
    (tmp_path / "file.zarr").write_text("text")
    assert read_unfinished(tmp_path / "file.zarr") is None
    group = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": 3})
    for number, text in enumerate(("{", "[]", "3", "null", group)):
        folder = tmp_path / f"broken{number}.zarr"
        folder.mkdir()
        (folder / "zarr.json").write_text(text)
        assert read_unfinished(folder) is None
    (tmp_path / "no.zarr.zip").write_bytes(b"PK")
    assert read_unfinished(tmp_path / "no.zarr.zip") is None


def test_a_place_that_fails_is_no_place_without_a_run() -> None:
    class Failing(MemoryStore):
        async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
            raise PermissionError(13, "not for you")

    with pytest.raises(OSError, match="not for you"):
        read_unfinished(Failing())


def test_versions_are_those_of_the_packages() -> None:
    versions = software_versions()
    assert versions["zarr"] == zarr.__version__
    assert set(versions) == {"napari-tessera", "python", "numpy", "torch", "zarr"}


@pytest.mark.parametrize(
    "changed",
    [{"completed": "false"}, {"completed": 1}, {"total_tiles": "4"}, {"total_tiles": -5}],
)
def test_what_no_run_of_ours_says_is_believed_of_none(
    about: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert run_of(about) is not None
    assert run_of({**about, **changed}) is None


def test_a_ledger_for_other_tiles_says_nothing(about: dict[str, Any]) -> None:
    group = zarr.create_group(MemoryStore(), attributes={"napari_tessera": about})
    Ledger(group, 1000).mark_done([3, 999])
    run = stored_run(group)
    assert run is not None
    assert run.done == []
