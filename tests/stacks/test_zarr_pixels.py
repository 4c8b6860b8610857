"""Arrays that vanish or change while they are open, and stores that refuse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import MemoryStore, WrapperStore

from napari_tessera.stacks import StackReadError, ZarrStack, open_stack
from napari_tessera.stacks.zarr import presence as zarr_presence

from .zarr_files import ome_image, random_image, read_whole, remove_chunk, store_array

LAYOUTS: list[dict[str, Any]] = [{}, {"zarr_format": 2}, {"chunks": (4, 4), "shards": (8, 16)}]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_store_that_was_removed_is_no_fill_value(layout: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 32), fill_value=7, **layout)
    with open_stack(path) as stack:
        read_whole(stack)
        shutil.rmtree(path)
        with pytest.raises(StackReadError) as error:
            stack.extract_patch(0, None, (2, 17), (3, 4))
        assert not path.exists(), "nothing brings the folder back"
        with pytest.raises(StackReadError, match="is not there: the array was removed"):
            stack.extract_patch(0, None, (2, 17), (3, 4))
        assert stack.absent_chunks == 0, "what is gone is not absent"
    key = "0.2" if layout.get("zarr_format") == 2 else "c/0/1" if "shards" in layout else "c/0/2"
    assert str(error.value) == (
        f"{path} cannot be read at Y=2…4 X=17…20: chunk {key} is not there: the array was removed "
        "while it was open"
    )


def test_chunks_known_to_be_absent_are_asked_about_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(8, 16))
    remove_chunk(path, "c/0/1")
    monkeypatch.setattr(zarr_presence, "TRUSTED_SECONDS", 1e9)
    with open_stack(path) as stack:
        assert (stack.extract_patch(0, None, (0, 8), (8, 8)) == 0).all()
        shutil.rmtree(path)
        assert (stack.extract_patch(0, None, (0, 8), (8, 8)) == 0).all()
        with pytest.raises(StackReadError, match="chunk c/0/0 is not there: the array was removed"):
            read_whole(stack)
        monkeypatch.setattr(zarr_presence, "TRUSTED_SECONDS", 0)
        with pytest.raises(StackReadError, match="chunk c/0/1 is not there: the array was removed"):
            stack.extract_patch(0, None, (0, 8), (8, 8))
        assert stack.absent_chunks == 1


def test_an_array_taken_out_of_its_group(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = ome_image(path, random_image(1, 1, 8, 8), "0.5")
    with open_stack(path) as stack:
        del group["0"]
        with pytest.raises(StackReadError, match="the array was removed while it was open"):
            read_whole(stack)


def test_a_store_that_was_emptied(tmp_path: Path) -> None:
    store = MemoryStore()
    store_array(store, random_image(16, 16))
    with open_stack(zarr.open_array(store, mode="r")) as stack:
        read_whole(stack)
        zarr.core.sync.sync(store.clear())
        with pytest.raises(StackReadError, match="the array was removed while it was open"):
            read_whole(stack)


@pytest.mark.parametrize(
    "other",
    [{"chunk": 4}, {"compressors": None}, {"fill_value": 9}, {"zarr_format": 2}, {"dtype": "i4"}],
)
def test_another_array_in_its_place(other: dict[str, Any], tmp_path: Path) -> None:
    """Its chunks may lie under the same names."""
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16))
    with open_stack(path) as stack:
        shutil.rmtree(path)
        store_array(path, random_image(16, 16).astype(other.pop("dtype", "u2")), **other)
        for file in [file for file in path.rglob("*") if file.name.endswith("1")]:
            if file.is_file():
                file.unlink()
        message = "the array was (replaced by another one|removed) while it was open"
        with pytest.raises(StackReadError, match=message):
            stack.extract_patch(0, None, (0, 8), (8, 8))


def test_an_array_that_was_cut_smaller(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16))
    with open_stack(path) as stack:
        zarr.open_array(path, mode="r+").resize((8, 16))
        with pytest.raises(StackReadError, match="replaced by another one while it was open"):
            stack.extract_patch(0, None, (8, 8), (8, 8))


def test_an_undecodable_chunk_of_another_array(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16))
    with open_stack(path) as stack:
        shutil.rmtree(path)
        store_array(path, random_image(16, 16), compressors=None)
        with pytest.raises(StackReadError, match="X=0…15: the array was replaced by another one"):
            read_whole(stack)


def test_metadata_that_were_damaged_while_open(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16))
    with open_stack(path) as stack:
        (path / "zarr.json").write_text("{")
        read_whole(stack)
        remove_chunk(path, "c/1/1")
        with pytest.raises(StackReadError, match=r"chunk c/1/1 is not there: .*replaced"):
            read_whole(stack)


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege")
def test_a_chunk_that_is_there_and_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    store_array(path, random_image(16, 16))
    remove_chunk(path, "c/1/1")
    (path / "c/1/1").symlink_to("1")
    place = r"Y=0…15 X=0…15: chunk c/1/1 at Y=8…15 X=8…15: OSError: .*c/1/1"
    with open_stack(path) as stack, pytest.raises(StackReadError, match=place):
        read_whole(stack)


class Failing(WrapperStore[Any]):
    """A store that fails for some keys, as a disk or server does."""

    def __init__(self, store: Any, fails: Callable[[str], BaseException | None]) -> None:
        super().__init__(store)
        self._fails = fails

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        error = self._fails(key)
        if error is not None:
            raise error
        return await super().get(key, prototype, byte_range)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_store_that_fails_is_named_with_the_chunk(layout: dict[str, Any]) -> None:
    store = MemoryStore()
    store_array(store, random_image(16, 32), **layout)
    failing = Failing(store, lambda key: OSError("disk on fire") if key[-3:] in BAD else None)
    stack = ZarrStack(zarr.open_array(failing, mode="r+"))
    kind, key, x = ("shard", "c/1/1", "16…31") if "shards" in layout else ("chunk", "c/1/1", "8…15")
    key = "1.1" if layout.get("zarr_format") == 2 else key
    with pytest.raises(StackReadError) as error:
        read_whole(stack)
    assert str(error.value).endswith(
        f"Y=0…15 X=0…31: {kind} {key} at Y=8…15 X={x}: OSError: disk on fire"
    )


BAD = ("1/1", "1.1")


def test_a_store_that_fails_when_asked_for_the_array(tmp_path: Path) -> None:
    """Whether a chunk is absent cannot be told then."""
    store, dead = MemoryStore(), False
    zarr.create_array(store, shape=(8, 8), chunks=(4, 4), dtype="u1")
    failing = Failing(store, lambda key: OSError("gone") if dead and "json" in key else None)
    stack = ZarrStack(zarr.open_array(failing, mode="r+"))
    dead = True
    with pytest.raises(StackReadError, match=r"X=0…7: .*OSError: gone"):
        read_whole(stack)


def test_memory_that_runs_out_is_said_as_such() -> None:
    store = MemoryStore()
    store_array(store, random_image(8, 8))
    failing = Failing(store, lambda key: MemoryError() if key.startswith("c/") else None)
    stack = ZarrStack(zarr.open_array(failing, mode="r+"))
    with pytest.raises(MemoryError):
        read_whole(stack)


def test_what_fails_once_and_not_again_is_told_as_it_was() -> None:
    array = random_image(8, 8)
    store = MemoryStore()
    store_array(store, array)
    left = [zarr.errors.BaseZarrError("hiccup")]
    failing = Failing(store, lambda key: left.pop() if left and key.startswith("c/") else None)
    stack = ZarrStack(zarr.open_array(failing, mode="r+"))
    with pytest.raises(StackReadError, match="chunk c/0/0 at Y=0…7 X=0…7: BaseZarrError: hiccup"):
        read_whole(stack)
    np.testing.assert_array_equal(read_whole(stack)[0], array)
