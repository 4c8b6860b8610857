"""Connections to a web server: closed with the stack, from any thread, and never waited for."""

from __future__ import annotations

import gc
import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import aiohttp
import numpy as np
import pytest
from zarr.core.sync import sync

from napari_tessera.stacks import open_stack
from napari_tessera.stacks.zarr import http as zarr_http

from .web_server import WebServer
from .zarr_files import random_image, read_whole, store_array

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.mark.filterwarnings(
    "error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning"
)
def test_connections_are_closed(
    server: WebServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the stack, when it is dropped, and where it cannot be opened."""
    store_array(folder / "a.zarr", random_image(8, 8))
    url = f"{server.url}/a.zarr"
    with caplog.at_level(logging.ERROR), warnings.catch_warnings():
        stack = open_stack(url)
        read_whole(stack)
        stack.close()
        stack.close()
        with pytest.raises(ValueError, match="is closed; open it again"):
            read_whole(stack)
        del stack
        dropped = open_stack(url)
        read_whole(dropped)
        del dropped
        with pytest.raises(ValueError, match="axes"):
            open_stack(url, "ZYX")
        gc.collect()
    assert "nclosed" not in caplog.text


def test_connections_close_from_the_thread_they_are_used_in(
    server: WebServer, folder: Path
) -> None:
    """Where garbage is collected, any object may be let go of; waiting would never end there."""
    store_array(folder / "a.zarr", random_image(8, 8))
    stack = open_stack(f"{server.url}/a.zarr")
    read_whole(stack)

    async def close() -> None:
        stack.close()

    sync(close(), timeout=10)
    with pytest.raises(ValueError, match="is closed; open it again"):
        read_whole(stack)


def test_connections_that_do_not_close_in_time_hold_nobody_up(
    server: WebServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zarr_http, "_CLOSE_SECONDS", 0.05)
    store_array(folder / "a.zarr", random_image(8, 8))
    stack = open_stack(f"{server.url}/a.zarr")
    read_whole(stack)
    busy, over = Event(), Event()

    async def keep_busy() -> None:
        busy.set()
        over.wait(30)

    with ThreadPoolExecutor(1) as other:
        kept = other.submit(sync, keep_busy())
        try:
            assert busy.wait(30)
            stack.close()
        finally:
            over.set()
        kept.result(30)
    with pytest.raises(ValueError, match="is closed; open it again"):
        read_whole(stack)


@pytest.mark.parametrize("error", [OSError("reset"), RuntimeError("no loop"), TimeoutError()])
def test_what_goes_wrong_with_closing_is_not_told(
    error: Exception, server: WebServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_array(folder / "a.zarr", random_image(8, 8))
    close = aiohttp.ClientSession.close

    async def close_and_fail(session: aiohttp.ClientSession) -> None:
        await close(session)
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "close", close_and_fail)
    with open_stack(f"{server.url}/a.zarr") as stack:
        read_whole(stack)


def test_two_stacks_of_one_server_close_apart(server: WebServer, folder: Path) -> None:
    array = store_array(folder / "a.zarr", random_image(8, 8))
    first, second = (open_stack(f"{server.url}/a.zarr") for _ in range(2))
    first.close()
    with second:
        np.testing.assert_array_equal(read_whole(second)[0], array)
