"""Runs from S3 to S3 over a network that fails: the same bytes, or one line and a resume."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import s3fs

from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.zarr import retrying
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places.retrying import StoreError

from .buckets import S3Place
from .fault_proxy import (
    CutBody,
    Fault,
    LostAnswer,
    LostRequest,
    Request,
    ShortBody,
    Silent,
    Status,
)
from .images import run, store_image

OUT = "out/a b.ome.zarr"


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is asked for again without waiting."""
    monkeypatch.setattr(retrying, "DELAYS", (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, str]]:
    """Hashes of what a run leaves where nothing fails, by layout, once they are known."""
    return {}


@pytest.fixture
def whole(s3: S3Place, layout: str, expected: dict[str, dict[str, str]]) -> dict[str, str]:
    """Hashes of what a run leaves where nothing fails; the image is in the bucket."""
    store_image(s3.url(f"in {layout}.ome.zarr"), layout)
    if layout not in expected:
        run(s3, "whole.ome.zarr", layout)
        expected[layout] = s3.hashes("whole.ome.zarr")
    s3.proxy.reset()
    return expected[layout]


class FirstTime:
    """Each request that matters fails when it is made for the first time."""

    def __init__(self, fault: Fault, matters: Callable[[Request], bool]) -> None:
        self.fault = fault
        self.matters = matters
        self.seen: set[Request] = set()

    def __call__(self, request: Request) -> Fault:
        if request in self.seen or not self.matters(request):
            return None
        self.seen.add(request)
        return self.fault


@pytest.mark.parametrize(
    ("fault", "layout"),
    [
        (Status(500), "shards"),
        (LostAnswer(), "chunks"),
        slow(LostRequest(), "shards"),
        slow(Status(503), "chunks"),
        slow(CutBody(), "shards"),
        slow(CutBody(), "zarr 2"),
    ],
    ids=str,
)
def test_each_request_of_a_run_fails_once(
    s3: S3Place, layout: str, whole: dict[str, str], fault: Fault
) -> None:
    """Reading, locking, writing, entering, listing and deleting."""
    s3.proxy.fault = FirstTime(fault, lambda request: True)
    run(s3, OUT, layout)
    failed = {(request.method, request.is_chunk) for request, _ in s3.proxy.failed}
    assert {("GET", True), ("PUT", True), ("PUT", False), ("POST", False)} <= failed
    s3.proxy.reset()
    assert s3.hashes(OUT) == whole
    stored = read_unfinished(s3.url(OUT))
    assert stored is not None
    assert stored.completed


@pytest.mark.parametrize("layout", ["chunks", slow("shards")])
def test_answers_that_say_they_are_whole_and_are_not(
    s3: S3Place, layout: str, whole: dict[str, str]
) -> None:
    s3.proxy.fault = FirstTime(ShortBody(), lambda r: r.method == "GET" and r.is_chunk)
    run(s3, OUT, layout)
    failed = {request.key for request, _ in s3.proxy.failed if f"in {layout}" in request.key}
    assert len(failed) == {"chunks": 12, "shards": 4}[layout], "every object of the image"
    assert s3.hashes(OUT) == whole


@pytest.mark.parametrize("layout", [slow("shards"), slow("chunks")])
def test_a_server_that_falls_silent_is_asked_again(
    s3: S3Place, layout: str, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3fs.S3FileSystem, "read_timeout", 0.5)
    s3.reconnect()
    silent: set[str] = set()

    def fault(request: Request) -> Fault:
        if request.is_chunk and request.method not in silent:
            silent.add(request.method)
            return Silent()
        return None

    s3.proxy.fault = fault
    run(s3, OUT, layout)
    assert silent >= {"GET", "PUT"}
    assert s3.hashes(OUT) == whole


@pytest.mark.parametrize(
    ("method", "layout"), [("GET", "chunks"), slow("PUT", "shards"), slow("GET", "shards")]
)
def test_a_server_that_is_away_for_a_while(
    s3: S3Place, layout: str, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """It refuses connections until a client waits before its third try."""
    waits = []
    sleep = asyncio.sleep

    async def come_back(seconds: float, *result: Any) -> Any:
        waits.append(seconds)
        if len(waits) == 2:
            s3.proxy.up()
        return await sleep(0, *result)

    monkeypatch.setattr(retrying, "sleep", come_back)
    gone = threading.Event()

    def fault(request: Request) -> Fault:
        if request.method == method and request.is_chunk and not gone.is_set():
            gone.set()
            s3.proxy.down()
            return LostRequest()
        return None

    s3.proxy.fault = fault
    run(s3, OUT, layout)
    assert len(waits) >= 2
    assert s3.hashes(OUT) == whole


@pytest.mark.parametrize(
    ("method", "status", "layout"),
    [
        ("PUT", 500, "shards"),
        slow("GET", 403, "chunks"),
        slow("GET", 500, "shards"),
        slow("PUT", 403, "chunks"),
    ],
)
def test_what_fails_for_good_is_one_line_and_can_be_gone_on_with(
    s3: S3Place, layout: str, whole: dict[str, str], method: str, status: int
) -> None:
    chunk = max(name for name in whole if name.startswith("0/c/"))
    place = f"{s3.bucket}/{OUT if method == 'PUT' else f'in {layout}.ome.zarr'}"

    def fault(request: Request) -> Fault:
        # statistics are read before anything is made
        begun = any(asked.method == "PUT" for asked in s3.proxy.asked)
        wanted = (request.method, request.key) == (method, f"{place}/{chunk}")
        return Status(status) if begun and wanted else None

    s3.proxy.fault = fault
    kind, way_out = (
        (StoreError, "resume") if method == "PUT" else (StackReadError, "s3:GetObject|asked 4")
    )
    with pytest.raises(kind, match=way_out) as caught:
        run(s3, OUT, layout)
    message = str(caught.value)
    assert f"s3://{place}" in message
    assert "\n" not in message
    # what is there is written once more when the run ends
    assert len(s3.proxy.failed) % (1 if status == 403 else 4) == 0
    s3.proxy.reset()
    stored = read_unfinished(s3.url(OUT))
    assert stored is not None
    assert not stored.completed
    assert stored.n_done < stored.total_tiles
    assert stored.n_done > 0 or method == "GET", "all that comes before is there"
    run(s3, OUT, layout, resume=True)
    assert s3.hashes(OUT) == whole
