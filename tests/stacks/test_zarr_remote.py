"""Stores over a network: which they are, what is asked again, and what is told of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import botocore.exceptions
import fsspec.config
import numpy as np
import pytest
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, MemoryStore, WrapperStore, ZipStore

from napari_tessera.stacks import open_stack
from napari_tessera.stacks.zarr import retrying
from napari_tessera.stacks.zarr.remote import (
    CONNECTIONS,
    ReadingStore,
    ServerError,
    fsspec_store,
    is_remote,
    missing_bucket,
    patient,
)

from .web_server import WebServer, serving
from .zarr_files import random_image, read_whole, store_array

PROTOTYPE = default_buffer_prototype()


class Failing(WrapperStore[Any]):
    """Raises what it is given, one error after another, then goes on."""

    def __init__(self, store: Any, *errors: Exception, cut: int = 0) -> None:
        super().__init__(store)
        self.errors = list(errors)
        self.cut = cut
        self.asked: Counter[str] = Counter()

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        self.asked[key] += 1
        if self.errors:
            raise self.errors.pop(0)
        value: Buffer | None = await self._store.get(key, prototype, byte_range)
        if value is not None and self.cut:
            self.cut -= 1
            return value[:-1]
        return value


def store_of(value: bytes, *errors: Exception, cut: int = 0) -> tuple[Failing, ReadingStore]:
    inner = MemoryStore({"k": PROTOTYPE.buffer.from_bytes(value)})
    failing = Failing(inner, *errors, cut=cut)
    return failing, ReadingStore(failing, delays=(0.0, 0.0, 0.0))


def read(store: ReadingStore, byte_range: ByteRequest | None = None) -> bytes | None:
    value = sync(store.get("k", PROTOTYPE, byte_range))
    return None if value is None else value.to_bytes()


def test_only_what_lies_beyond_a_network_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    for store in (
        LocalStore(tmp_path),
        MemoryStore(),
        ZipStore(tmp_path / "a.zip"),
        FsspecStore.from_url(f"file://{tmp_path}"),
    ):
        assert not is_remote(store)
        assert patient(store) is store
    far = FsspecStore.from_url("http://127.0.0.1:9/a.zarr")
    assert is_remote(far)
    wrapped = patient(far)
    assert isinstance(wrapped, ReadingStore)
    assert patient(wrapped) is wrapped


@pytest.mark.parametrize("times", [1, 3])
def test_what_fails_in_passing_is_asked_again(times: int) -> None:
    failing, store = store_of(b"1234", *[ConnectionResetError("reset")] * times)
    assert read(store) == b"1234"
    assert failing.asked["k"] == times + 1


def test_what_fails_each_time_is_told() -> None:
    failing, store = store_of(b"1", *[TimeoutError("too late")] * 9)
    with pytest.raises(ServerError) as error:
        read(store)
    assert str(error.value) == (
        "asked 4 times, at last TimeoutError: too late; look at the address and the network, and "
        "try again"
    )
    assert failing.asked["k"] == 4


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError("Forbidden"), "access is refused .*Forbidden.*s3:GetObject"),
        (botocore.exceptions.NoCredentialsError(), "nobody says who asks .*AWS_PROFILE"),
        (botocore.exceptions.ProfileNotFound(profile="x"), "nobody says who asks .*profile"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_waiting_mends_is_told_at_once(error: Exception, text: str) -> None:
    failing, store = store_of(b"1", error)
    with pytest.raises(ServerError, match=text) as caught:
        read(store)
    assert "\n" not in str(caught.value)
    assert failing.asked["k"] == 1


@pytest.mark.parametrize("byte_range", [RangeByteRequest(1, 4), SuffixByteRequest(3)])
def test_a_part_that_comes_too_short_is_asked_for_again(byte_range: ByteRequest) -> None:
    failing, store = store_of(b"1234", cut=2)
    assert read(store, byte_range) == b"234"
    assert failing.asked["k"] == 3
    # what stays short is for whoever knows what it is part of
    failing, store = store_of(b"1234", cut=9)
    assert read(store, byte_range) == b"23"
    assert failing.asked["k"] == 4


def test_a_chunk_that_was_cut_on_the_way_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server says that it is whole, only the decoder knows."""
    monkeypatch.setattr(retrying, "DELAYS", ())
    image = store_array(tmp_path / "a.zarr", random_image(16, 16))
    whole = (tmp_path / "a.zarr" / "c" / "0" / "0").read_bytes()
    with serving(tmp_path) as server, open_stack(f"{server.url}/a.zarr") as stack:
        np.testing.assert_array_equal(read_whole(stack)[0], image)
        chunk = tmp_path / "a.zarr" / "c" / "0" / "0"
        chunk.write_bytes(whole[: len(whole) // 2])
        mend(server, chunk, whole)
        np.testing.assert_array_equal(read_whole(stack)[0], image)
        assert server.asked.count("/a.zarr/c/0/0") == 3


def mend(server: WebServer, chunk: Path, whole: bytes) -> None:
    """Have the chunk whole again when it is asked for a second time."""
    before = server.asked.count("/a.zarr/c/0/0")

    def answer(path: str) -> None:
        if path == "/a.zarr/c/0/0" and server.asked.count(path) == before + 2:
            chunk.write_bytes(whole)

    server.answer = answer


def test_an_object_store_is_asked_by_one_of_three_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3fs would try again as well, ask for sizes, and not see what others write."""
    own = {"config_kwargs": {"read_timeout": 3}}
    monkeypatch.setitem(fsspec.config.conf, "s3", own)
    store = fsspec_store("s3://bucket/a.zarr", read_only=True)
    assert store.read_only
    assert store.fs.retries == 1
    assert store.fs.max_concurrency == 1
    assert not store.fs.dircache.use_listings_cache
    assert store.fs.config_kwargs == {"max_pool_connections": CONNECTIONS, "read_timeout": 3}
    memory = fsspec_store("memory://room/a.zarr", read_only=False)
    assert not hasattr(memory.fs, "retries")
    assert missing_bucket(memory) is None
