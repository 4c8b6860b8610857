"""Connections to a web server that Zarr is read from: one set a stack, closed with it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

CONNECT_SECONDS = 30
"""How long a server may take to accept a connection."""

SILENT_SECONDS = 60
"""How long a server may send nothing; a large chunk over a slow line takes longer in all."""

_CLOSE_SECONDS = 5


def is_http(url: str) -> bool:
    """Whether a URL is a web server's, and fsspec alone reads it."""
    return url.lower().startswith(("http://", "https://")) and "::" not in url


def split_query(url: str) -> tuple[str, str]:
    """The part of a web server's URL that names a place, and its query with the ``?``.

    Of other URLs a ``?`` may be part of a name: they stay whole.
    """
    if not is_http(url):
        return url, ""
    place, mark, query = url.partition("?")
    return place, mark + query if query else ""


class HttpSession:
    """The connections of one file system of fsspec.

    Left to itself fsspec keeps them to the end of the program, and waits for a silent server
    five minutes.

    Parameters
    ----------
    query : str, optional
        What every request ends with, as that of a signed URL; begins with ``?``.
    """

    def __init__(self, query: str = "") -> None:
        # what is sent is encoded anew
        self._query = parse_qsl(query.removeprefix("?"), keep_blank_values=True)
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def storage_options(self) -> dict[str, Any]:
        """What makes fsspec use these connections, in a file system that no one else gets."""
        options = {"get_client": self._connect, "skip_instance_cache": True}
        return options | ({"params": self._query} if self._query else {})

    async def _connect(self, **settings: Any) -> Any:
        import aiohttp

        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
        )
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    def close(self) -> None:
        """Close the connections, from any thread; does nothing the second time."""
        session, loop, self._session = self._session, self._loop, None
        if session is None or loop is None or not loop.is_running():
            return
        closed = asyncio.run_coroutine_threadsafe(session.close(), loop)
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not loop:
            # From the loop itself, where garbage may be collected, waiting would never end. What
            # goes wrong with connections that no one needs any more is nobody's trouble.
            with suppress(Exception):
                closed.result(_CLOSE_SECONDS)
