"""How many requests are on their way at once, and how much of what they bring is held."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore

from napari_tessera import open_stack
from napari_tessera.prediction.cores import WAITING_READERS, reading_threads
from napari_tessera.stacks.zarr.remote import CONNECTIONS

from .buckets import S3Place
from .fault_proxy import Fault, Request, Together
from .images import run, store_image


def test_tiles_of_a_run_are_asked_for_side_by_side(s3: S3Place) -> None:
    """A slow line costs little where requests are on their way together.

    Eight threads read; tiles beside each other want the same chunks, which are asked for once.
    """
    store_image(s3.url("in chunks.ome.zarr"), "chunks")
    s3.proxy.reset()
    begun, met = threading.Event(), threading.Event()
    barrier = threading.Barrier(WAITING_READERS // 2, action=met.set)

    def fault(request: Request) -> Fault:
        if request.method == "PUT":
            begun.set()
        if request.method == "GET" and "/0/c/" in request.key and begun.is_set():
            return None if met.is_set() else Together(barrier)
        return None

    assert reading_threads(stack=open_stack(s3.url("in chunks.ome.zarr"))) == WAITING_READERS
    s3.proxy.fault = fault
    run(s3, "out.ome.zarr")
    assert met.is_set()
    assert not barrier.broken


def test_all_chunks_of_one_read_come_side_by_side(s3: S3Place) -> None:
    """More than botocore's ten connections would let through."""
    store = FsspecStore.from_url(s3.url("a.zarr"))
    pixels = np.arange(64 * 64, dtype="u2").reshape(64, 64)
    zarr.create_array(store, shape=(64, 64), chunks=(8, 8), dtype="u2")[:] = pixels
    s3.proxy.reset()
    several = 12
    assert several < CONNECTIONS
    met = threading.Event()
    barrier = threading.Barrier(several, action=met.set)
    s3.proxy.fault = lambda request: (
        None if "/c/" not in request.key or met.is_set() else Together(barrier)
    )
    with open_stack(s3.url("a.zarr")) as stack, zarr.config.set({"async.concurrency": several}):
        found: Any = stack.extract_patch(0, None, (0, 0), (64, 64))
    assert np.array_equal(found[0], pixels)
    assert met.is_set()
    assert not barrier.broken


@pytest.mark.parametrize("layout", ["chunks", "shards"])
def test_each_object_is_asked_for_and_nothing_about_it(s3: S3Place, layout: str) -> None:
    """No size before a chunk: that would double the time of a slow line."""
    store_image(s3.url(f"in {layout}.ome.zarr"), layout)
    s3.proxy.reset()
    with open_stack(s3.url(f"in {layout}.ome.zarr")) as stack:
        s3.proxy.reset()
        stack.extract_patch(0, None, (0, 0), (128, 128))
        asked = [(request.method, request.key.rpartition("zarr/")[2]) for request in s3.proxy.asked]
    # of a shard its index and the chunk
    assert asked == [("GET", "0/c/0/0")] * (1 if layout == "chunks" else 2)
