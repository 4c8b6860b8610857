"""Arrays that are still there, are gone, or are others."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LoggingStore, MemoryStore

from napari_tessera.stacks.zarr import presence as zarr_presence
from napari_tessera.stacks.zarr.presence import ArrayGoneError, ArrayPresence

WRAPS: list[Any] = [lambda store: store, LoggingStore]
"""Stores that answer at once in some releases of Zarr-Python, and one that does not."""


def create(store: Any, **settings: Any) -> zarr.Array[Any]:
    settings = {"shape": (16, 16), "chunks": (8, 8), "dtype": "u2", **settings}
    return zarr.create_array(store, name="in/cells", overwrite=True, **settings)


def describe(store: MemoryStore, key: str, change: dict[str, Any]) -> None:
    """Change a document of a store."""
    prototype = default_buffer_prototype()
    found = sync(store.get(key, prototype))
    assert found is not None
    document = json.dumps(json.loads(found.to_bytes()) | change).encode()
    sync(store.set(key, prototype.buffer.from_bytes(document)))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("wrap", WRAPS)
def test_there_and_removed(wrap: Any, version: Any) -> None:
    store = MemoryStore()
    create(store, zarr_format=version)
    presence = ArrayPresence(zarr.open_array(wrap(store), path="in/cells", mode="r+"))
    presence.check()
    presence.check("c/0/1")
    sync(store.delete("in/cells/zarr.json" if version == 3 else "in/cells/.zarray"))
    with pytest.raises(ArrayGoneError, match=r"^the array was removed while it was open$"):
        presence.check()
    with pytest.raises(ArrayGoneError, match=r"^chunk c/0/1 is not there: the array was removed"):
        presence.check("c/0/1")


CHANGES: list[tuple[dict[str, Any], bool]] = [
    ({"shape": (24, 16)}, True),
    ({"shape": (8, 16)}, False),
    ({"shape": (16, 16, 1), "chunks": (8, 8, 1)}, False),
    ({"attributes": {"note": 1}}, True),
    ({"dimension_names": ("y", "x")}, True),
    ({"dtype": "i2"}, False),
    ({"chunks": (4, 4)}, False),
    ({"fill_value": 3}, False),
    ({"compressors": None}, False),
]


@pytest.mark.parametrize(("change", "same"), CHANGES, ids=[str(change) for change, _ in CHANGES])
def test_an_array_that_was_written_anew(change: dict[str, Any], same: bool) -> None:
    store = MemoryStore()
    presence = ArrayPresence(create(store))
    create(store, **change)
    if same:
        presence.check()
        return
    with pytest.raises(ArrayGoneError, match="replaced by another one while it was open"):
        presence.check()


@given(st.lists(st.integers(1, 40), min_size=2, max_size=2))
def test_an_array_may_grow_and_not_shrink(shape: list[int]) -> None:
    store = MemoryStore()
    presence = ArrayPresence(create(store))
    describe(store, "in/cells/zarr.json", {"shape": shape})
    if min(shape) >= 16:
        presence.check()
    else:
        with pytest.raises(ArrayGoneError):
            presence.check()


def test_it_is_known_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    presence = ArrayPresence(create(store))
    now = 100.0
    monkeypatch.setattr(zarr_presence, "monotonic", lambda: now)
    presence.check()
    assert presence.is_fresh()
    now += 2 * zarr_presence.TRUSTED_SECONDS
    assert not presence.is_fresh()
    sync(store.clear())
    with pytest.raises(ArrayGoneError):
        presence.check()
    assert not presence.is_fresh(), "what is gone was not there"
