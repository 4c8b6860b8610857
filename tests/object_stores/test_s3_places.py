"""Places on a server of S3's, through s3fs and over this computer's own network."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore

from napari_tessera.stacks.zarr.nodes import innermost_store
from napari_tessera.writing import check_target
from napari_tessera.writing.places.keys import write_key
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.places.removal import delete_store, is_free
from napari_tessera.writing.places.retrying import RetryingStore, StoreError
from napari_tessera.writing.places.target import open_store

from .buckets import S3Place
from .fault_proxy import Fault, Request, Status

NAME = "run 1/cells.ome.zarr"


@pytest.fixture
def place(s3: S3Place) -> str:
    return s3.url(NAME)


def write_image(store: Any) -> np.ndarray:
    pixels = np.arange(40 * 60, dtype="u2").reshape(40, 60)
    # what is no image is never replaced
    ome = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}
    array = zarr.create_group(store, attributes={"ome": ome}).create_array(
        "0", shape=pixels.shape, chunks=(10, 12), dtype="u2", config={"write_empty_chunks": True}
    )
    array[:] = pixels
    return pixels


def test_a_store_is_written_once_locked_found_and_replaced(s3: S3Place, place: str) -> None:
    check_target(place)
    with lock_store(place) as lock:
        with pytest.raises(StoreBusyError, match="is being written by another run of this prog"):
            lock_store(place)
        pixels = write_image(open_store(place))
        lock.refresh()
    puts = Counter(asked.key for asked in s3.proxy.asked if asked.method == "PUT")
    assert {key: n for key, n in puts.items() if "/0/c/" in key} == {
        f"{s3.bucket}/{NAME}/0/c/{y}/{x}": 1 for y in range(4) for x in range(5)
    }
    assert not any("heartbeat" in key for key in s3.names())
    array = zarr.open_group(FsspecStore.from_url(place), mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[:], pixels)
    with pytest.raises(FileExistsError, match="exists: overwrite it"):
        check_target(place)
    check_target(place, overwrite=True)
    delete_store(place)
    assert s3.names() == []
    assert is_free(place)


def test_what_another_client_wrote_meanwhile_is_seen(s3: S3Place, place: str) -> None:
    assert is_free(place)
    write_key(open_store(place), "a/b", b"1")
    assert not is_free(place)
    s3.put("other.ome.zarr/zarr.json", b"{}")
    assert not is_free(s3.url("other.ome.zarr"))
    for key in s3.names():
        s3.delete(key)
    assert is_free(s3.url("other.ome.zarr"))
    assert is_free(place)


def test_each_request_may_fail_three_times(s3: S3Place, place: str) -> None:
    asked: Counter[Request] = Counter()

    def fault(request: Request) -> Fault:
        asked[request] += 1
        return Status(500) if request.method == "PUT" and asked[request] % 4 else None

    s3.proxy.fault = fault
    store = innermost_store(open_store(place))
    pixels = write_image(RetryingStore(store, delays=(0.0, 0.0, 0.0)))
    assert sum(n for request, n in asked.items() if request.method == "PUT") >= 4 * 22
    array = zarr.open_group(FsspecStore.from_url(place), mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[:], pixels)


@pytest.mark.parametrize(
    ("status", "tries", "text"),
    [(403, 1, "may not be written to or read"), (500, 4, "failed 4 times, at last with")],
)
def test_a_server_that_refuses_is_told_in_one_line(
    s3: S3Place, place: str, status: int, tries: int, text: str
) -> None:
    s3.proxy.fault = lambda request: (
        Status(status) if request.method == "PUT" and request.key.endswith("/k") else None
    )
    store = RetryingStore(innermost_store(open_store(place)), name=place, delays=(0.0, 0.0, 0.0))
    with pytest.raises(StoreError, match=text) as caught:
        write_key(store, "k", b"1")
    assert "\n" not in str(caught.value)
    assert sum(asked.method == "PUT" for asked in s3.proxy.asked) == tries


def test_the_input_is_never_replaced(s3: S3Place, place: str) -> None:
    write_image(open_store(place))
    for source in (place, f"{place}/0", f"simplecache::{place}/0", f"s3a://{place[5:]}//0/"):
        with pytest.raises(ValueError, match="holds the input, which is never changed"):
            check_target(place, overwrite=True, source=source)
    with pytest.raises(ValueError, match="lies inside the input's store"):
        check_target(f"{place}/labels/o.zarr", source=f"{place}/0")
    check_target(s3.url("run 1/out.ome.zarr"), source=f"{place}/0")
    check_target(place, overwrite=True, source=["/home/me/a.tif", "layer:cells", "gs://bucket/a"])


def test_a_bucket_that_may_not_be_listed_is_told(s3: S3Place, place: str) -> None:
    s3.proxy.fault = lambda request: Status(403)
    with pytest.raises(StoreError, match="may not be written to or read") as caught:
        check_target(place)
    assert "\n" not in str(caught.value)


def test_a_bucket_that_is_missing_is_told(s3: S3Place) -> None:
    place = f"s3://{s3.bucket}-2/cells.ome.zarr"
    check_target(place)
    with pytest.raises(StoreError, match=r"cells\.ome\.zarr cannot be made \(.*: create") as caught:
        lock_store(place)
    assert "\n" not in str(caught.value)
