"""A web server of this computer's own that serves a folder, and can misbehave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

Answer = Callable[[str], int | None]
"""Gives a path's HTTP status; None for the file as it is."""


class WebServer(ThreadingHTTPServer):
    """Serves a folder; knows byte ranges, as http.server itself does not.

    ``answer`` decides what is refused, and ``asked`` tells what was asked for.
    """

    daemon_threads = True
    # open connections of a client must not keep a test from ending
    block_on_close = False

    def __init__(self, folder: Path) -> None:
        self.answer: Answer = lambda path: None
        self.ranges = True
        self.lists = True
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        """Where the folder is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(SimpleHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"
    # headers and body are sent one after the other: each would wait for the other's receipt
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status = self.server.answer(self.path)
        if status == HANG_UP:
            self.close_connection = True
            return
        if status is not None:
            self.send_error(status)
            return
        file = Path(self.translate_path(self.path))
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not file.is_file() or not self.server.ranges:
            super().do_GET()
            return
        self._send_part(file.read_bytes(), *wanted.groups())

    def _send_part(self, whole: bytes, first: str, last: str) -> None:
        start = int(first) if first else max(0, len(whole) - int(last))
        stop = int(last) + 1 if first and last else len(whole)
        if start >= len(whole):
            self.send_error(416)
            return
        part = whole[start:stop]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def list_directory(self, path: Any) -> Any:
        if self.server.lists:
            return super().list_directory(path)
        self.send_error(404)
        return None

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to the terminal."""


HANG_UP = 0
"""Instead of a status: end the connection without a word."""


@contextmanager
def serving(folder: Path) -> Iterator[WebServer]:
    """Serve a folder from another thread, until the end of the block."""
    with WebServer(folder) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
