from __future__ import annotations

import asyncio
import errno
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import botocore.exceptions
import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from napari_tessera.stacks.zarr.retrying import DELAYS, is_passing
from napari_tessera.writing.places.keys import (
    delete_dir,
    delete_key,
    holds_zarr,
    keys_in,
    names_in,
    read_key,
    write_key,
)
from napari_tessera.writing.places.retrying import (
    RetryingStore,
    StoreError,
    as_retrying,
)

from .failing_store import FailingStore

NO_WAIT = (0.0, 0.0, 0.0)
Make = Callable[[], Store]


@pytest.fixture(params=["local", "memory", "fsspec"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return {
        "local": lambda: LocalStore(tmp_path / "a.zarr"),
        "memory": MemoryStore,
        "fsspec": lambda: FsspecStore.from_url(f"memory://{tmp_path.name}{id(tmp_path)}/a.zarr"),
    }[request.param]


def contents(store: Store) -> dict[str, bytes | None]:
    return {key: read_key(store, key) for key in sorted(keys_in(store))}


def write_image(store: Store) -> np.ndarray:
    pixels = np.arange(40 * 60, dtype="u2").reshape(40, 60)
    array = zarr.create_group(store, attributes={"a": 1}).create_array(
        "0", shape=pixels.shape, chunks=(5, 6), dtype="u2", config={"write_empty_chunks": True}
    )
    # 80 chunks at once, through zarr's own concurrency
    array[:] = pixels
    return pixels


class FirstTimes:
    """Says yes the first n times that it is asked for an operation on a key, once in n + 1."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: Counter[tuple[str, str]] = Counter()

    def __call__(self, operation: str, key: str) -> bool:
        self.asked[operation, key] += 1
        return self.asked[operation, key] % (self.n + 1) != 0


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before", "answer lost"])
def test_what_fails_up_to_three_times_is_written_and_read_whole(
    make: Make, times: int, after: bool
) -> None:
    inner = make()
    failing = FailingStore(inner, fails=FirstTimes(times), after=after)
    store = RetryingStore(failing, delays=NO_WAIT)
    pixels = write_image(store)
    assert sum(failing.failed.values()) > 80 * times
    assert (zarr.open_group(store, mode="r+")["0"][:] == pixels).all()  # type: ignore[index]
    plain = MemoryStore()
    write_image(plain)
    assert contents(inner) == contents(plain)


def test_each_chunk_is_written_once_where_nothing_fails(make: Make, counting_store: Any) -> None:
    counting = counting_store(make())
    write_image(RetryingStore(counting))
    assert len(counting.chunk_sets("0/")) == 80
    assert set(counting.chunk_sets("0/").values()) == {1}


def test_one_that_fails_each_time_is_told_in_one_line(make: Make) -> None:
    failing = FailingStore(make(), fails=lambda operation, key: operation == "set")
    store = RetryingStore(failing, name="s3://bucket/a.zarr", delays=NO_WAIT)
    with pytest.raises(StoreError) as caught:
        write_key(store, "k", b"1")
    assert str(caught.value) == (
        "s3://bucket/a.zarr failed 4 times, at last with: ConnectionResetError: connection reset "
        "by peer; resume when it works again"
    )
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert failing.failed == Counter({"set k": 4})
    assert read_key(store, "k") is None


def test_waits_longer_each_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("napari_tessera.stacks.zarr.retrying.sleep", note)
    store = RetryingStore(FailingStore(make(), fails=lambda operation, key: True))
    with pytest.raises(StoreError):
        read_key(store, "k")
    assert tuple(waited) == DELAYS
    assert list(DELAYS) == sorted(DELAYS)
    assert len(DELAYS) == 3


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on D: make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left on D: make room"),
        (OSError(errno.EFBIG, "File too large"), "no space left on D: make room"),
        (OSError(errno.EROFS, "Read-only file system"), "D may not be written to or read"),
        (OSError(errno.EACCES, "Permission denied"), "D may not be written to or read"),
        (OSError(errno.EPERM, "Operation not permitted"), "D may not be written to or read"),
        (PermissionError("Access Denied"), "D may not be written to or read"),
        (OSError(errno.ENOTDIR, "Not a directory"), "D is not what it was"),
        (OSError(errno.EISDIR, "Is a directory"), "D is not what it was"),
    ],
)
def test_what_no_waiting_mends_is_not_tried_again(make: Make, error: OSError, text: str) -> None:
    failing = FailingStore(make(), fails=lambda operation, key: True, error=lambda: error)
    with pytest.raises(StoreError, match=text) as caught:
        write_key(RetryingStore(failing, name="D"), "k", b"1")
    assert "\n" not in str(caught.value)
    assert failing.failed == Counter({"set k": 1})
    assert caught.value.errno == error.errno
    assert caught.value.full == (error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), FileNotFoundError("no such bucket"), KeyError("k")]
)
def test_what_is_no_failure_of_the_place_comes_out_as_it_is(make: Make, error: Exception) -> None:
    failing = FailingStore(make(), fails=lambda operation, key: True, error=lambda: error)
    with pytest.raises(type(error)) as caught:
        write_key(RetryingStore(failing), "k", b"1")
    assert caught.value is error
    assert failing.failed == Counter({"set k": 1})


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("timed out"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        EOFError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("not enough data"),
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://there"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert is_passing(error)
    left = [error]
    failing = FailingStore(
        MemoryStore(), fails=lambda operation, key: bool(left), error=lambda: left.pop()
    )
    store = RetryingStore(failing, delays=NO_WAIT)
    write_key(store, "k", b"1")
    assert read_key(store, "k") == b"1"


def test_a_cancelled_read_is_not_tried_again() -> None:
    assert not is_passing(asyncio.CancelledError())
    assert not is_passing(KeyboardInterrupt())
    assert not is_passing(StoreError("told already"))


def test_all_that_a_store_does_is_tried_again(make: Make) -> None:
    inner = make()
    write_image(inner)
    store = RetryingStore(FailingStore(inner, every=2), delays=NO_WAIT)
    assert holds_zarr(store)
    assert names_in(store) in (["0", "zarr.json"], ["zarr.json", "0"])
    assert set(keys_in(store)) == set(keys_in(inner))
    assert not sync(store.is_empty("0"))
    assert sync(store.getsize("zarr.json")) == len(read_key(inner, "zarr.json") or b"")
    prototype = default_buffer_prototype()
    parts = sync(store.get_partial_values(prototype, iter([("zarr.json", None)] * 2)))
    assert [part and part.to_bytes() for part in parts] == [read_key(inner, "zarr.json")] * 2
    sync(store.set_if_not_exists("k", prototype.buffer.from_bytes(b"1")))
    sync(store.set_if_not_exists("k", prototype.buffer.from_bytes(b"2")))
    assert read_key(store, "k") == b"1"
    delete_key(store, "k")
    delete_key(store, "k")
    delete_dir(store, "0")
    assert keys_in(store) == ["zarr.json"]
    sync(store.clear())
    assert keys_in(store) == []


def test_many_values_at_once(make: Make) -> None:
    failing = FailingStore(make(), fails=FirstTimes(2))
    store = RetryingStore(failing, delays=NO_WAIT)
    prototype = default_buffer_prototype()
    values = [(f"k{n}", prototype.buffer.from_bytes(b"%d" % n)) for n in range(20)]
    sync(store._set_many(values))

    async def read() -> dict[str, bytes | None]:
        found = store._get_many((key, prototype, None) for key in ("k3", "none", "k17"))
        return {key: value and value.to_bytes() async for key, value in found}

    assert sync(read()) == {"k3": b"3", "none": None, "k17": b"17"}


def test_a_key_that_is_absent_is_none(make: Make) -> None:
    store = RetryingStore(make())
    assert read_key(store, "none") is None
    assert not sync(store.exists("none"))
    with pytest.raises((FileNotFoundError, KeyError)):
        sync(store.getsize("none"))


def test_copies_try_again_as_well(make: Make) -> None:
    store = RetryingStore(make(), name="n", delays=NO_WAIT)
    assert as_retrying(store) is store
    write_key(store, "k", b"1")
    copy = store.with_read_only(True)
    assert isinstance(copy, RetryingStore)
    assert (copy.name, copy.delays, copy.read_only) == ("n", NO_WAIT, True)
    assert read_key(copy, "k") == b"1"
    with pytest.raises(ValueError, match="read-only"):
        write_key(copy, "k", b"2")
    assert str(store) == str(store._store)
    assert "RetryingStore(" in repr(store)
