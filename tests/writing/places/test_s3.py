"""Places on a server of S3's, through s3fs and over this computer's own network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import s3fs
import zarr
from zarr.core.sync import sync
from zarr.storage import FsspecStore

from napari_tessera.stacks.zarr.nodes import innermost_store
from napari_tessera.writing import WriteTilesZarr, check_target, read_unfinished
from napari_tessera.writing.places.keys import write_key
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.places.removal import delete_store, is_free
from napari_tessera.writing.places.retrying import RetryingStore, StoreError
from napari_tessera.writing.places.target import open_store

from .s3_server import S3Server, s3_server

PLACE = "s3://bucket/run 1/cells.ome.zarr"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server() as running:
        for name, value in {
            "AWS_ENDPOINT_URL": running.url,
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            # what fails is tried again here, not by the library
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(s3fs.core.S3FileSystem, "retries", 1)
        s3fs.S3FileSystem.clear_instance_cache()
        yield running
        # s3fs leaves its connections open to the end of the program
        for files in list(s3fs.S3FileSystem._cache.values()):
            if files._s3 is not None:
                sync(files._s3.close())
        s3fs.S3FileSystem.clear_instance_cache()


def write_image(store: Any) -> np.ndarray:
    pixels = np.arange(40 * 60, dtype="u2").reshape(40, 60)
    # what is no image is never replaced
    ome = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}
    array = zarr.create_group(store, attributes={"ome": ome}).create_array(
        "0", shape=pixels.shape, chunks=(10, 12), dtype="u2", config={"write_empty_chunks": True}
    )
    array[:] = pixels
    return pixels


def test_a_store_is_written_once_locked_found_and_replaced(server: S3Server) -> None:
    check_target(PLACE)
    with lock_store(PLACE) as lock:
        with pytest.raises(StoreBusyError, match="is being written by another run of this prog"):
            lock_store(PLACE)
        pixels = write_image(open_store(PLACE))
        lock.refresh()
    puts = Counter(key for method, key in server.requests if method == "PUT")
    assert {key: n for key, n in puts.items() if "/0/c/" in key} == {
        f"bucket/run 1/cells.ome.zarr/0/c/{y}/{x}": 1 for y in range(4) for x in range(5)
    }
    assert not any("heartbeat" in key for key in server.objects)
    array = zarr.open_group(FsspecStore.from_url(PLACE), mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[:], pixels)
    with pytest.raises(FileExistsError, match="exists: overwrite it"):
        check_target(PLACE)
    check_target(PLACE, overwrite=True)
    delete_store(PLACE)
    assert server.objects == {}
    assert is_free(PLACE)


def test_what_another_client_wrote_meanwhile_is_seen(server: S3Server) -> None:
    assert is_free(PLACE)
    write_key(open_store(PLACE), "a/b", b"1")
    assert not is_free(PLACE)
    server.objects["bucket/other.ome.zarr/zarr.json"] = b"{}"
    assert not is_free("s3://bucket/other.ome.zarr")
    server.objects.clear()
    assert is_free("s3://bucket/other.ome.zarr")
    assert is_free(PLACE)


def test_each_request_may_fail_three_times(server: S3Server) -> None:
    asked: Counter[tuple[str, str]] = Counter()

    def fault(method: str, key: str) -> int | None:
        asked[method, key] += 1
        return 503 if method == "PUT" and asked[method, key] % 4 else None

    server.fault = fault
    store = innermost_store(open_store(PLACE))
    pixels = write_image(RetryingStore(store, delays=(0.0, 0.0, 0.0)))
    assert sum(n for (method, _), n in asked.items() if method == "PUT") >= 4 * 22
    array = zarr.open_group(FsspecStore.from_url(PLACE), mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[:], pixels)


@pytest.mark.parametrize(
    ("status", "tries", "text"),
    [(403, 1, "may not be written to or read"), (500, 4, "failed 4 times, at last with")],
)
def test_a_server_that_refuses_is_told_in_one_line(
    server: S3Server, status: int, tries: int, text: str
) -> None:
    server.fault = lambda method, key: status if method == "PUT" and key.endswith("/k") else None
    store = RetryingStore(innermost_store(open_store(PLACE)), name=PLACE, delays=(0.0, 0.0, 0.0))
    with pytest.raises(StoreError, match=text) as caught:
        write_key(store, "k", b"1")
    assert "\n" not in str(caught.value)
    assert sum(method == "PUT" for method, _ in server.requests) == tries


def test_the_input_is_never_replaced(server: S3Server) -> None:
    write_image(open_store(PLACE))
    for source in (PLACE, f"{PLACE}/0", f"simplecache::{PLACE}/0", f"s3a://{PLACE[5:]}//0/"):
        with pytest.raises(ValueError, match="holds the input, which is never changed"):
            check_target(PLACE, overwrite=True, source=source)
    with pytest.raises(ValueError, match="lies inside the input's store"):
        check_target(f"{PLACE}/labels/o.zarr", source=f"{PLACE}/0")
    check_target("s3://bucket/run 1/out.ome.zarr", source=f"{PLACE}/0")
    check_target(PLACE, overwrite=True, source=["/home/me/a.tif", "layer:cells", "gs://bucket/a"])


def test_a_run_is_stopped_resumed_and_finished_there(server: S3Server, tiled_image: Any) -> None:
    image = tiled_image("YX", (61, 47), (24, 24), (8, 8))
    tiles = image.tiles()
    writer = WriteTilesZarr(PLACE)
    writer.open(image.run())
    writer.write_batch(None, tiles[:7])  # type: ignore[arg-type]
    with pytest.raises(StoreBusyError):
        WriteTilesZarr(PLACE, overwrite=True).open(image.run())
    writer.close(False)
    stored = read_unfinished(PLACE)
    assert stored is not None
    assert not stored.completed
    assert stored.done == list(range(7))
    with pytest.raises(FileExistsError, match="resume it"):
        check_target(PLACE)
    check_target(PLACE, resume=True)
    writer = WriteTilesZarr(PLACE)
    writer.open(image.run(resume=True))
    writer.write_batch(None, tiles[7:])  # type: ignore[arg-type]
    writer.close(True)
    array = zarr.open_group(FsspecStore.from_url(PLACE), mode="r")["0"]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[:], image.expected)
    left = {
        key.removeprefix("bucket/run 1/cells.ome.zarr/").split("/")[0] for key in server.objects
    }
    assert left == {"zarr.json", *(str(n) for n in range(len(left) - 1))}
    stored = read_unfinished(PLACE)
    assert stored is not None
    assert stored.completed


def test_a_bucket_that_may_not_be_listed_is_told(server: S3Server) -> None:
    server.fault = lambda method, key: 403
    with pytest.raises(StoreError, match="may not be written to or read") as caught:
        check_target(PLACE)
    assert "\n" not in str(caught.value)


def test_a_bucket_that_is_missing_is_told(server: S3Server) -> None:
    server.fault = lambda method, key: 404
    check_target(PLACE)
    with pytest.raises(StoreError, match=r"cells\.ome\.zarr cannot be made \(.*: create") as caught:
        lock_store(PLACE)
    assert "\n" not in str(caught.value)
