"""A proxy in front of a web server that fails as networks and servers do, where it is told to."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_CODES = {403: "AccessDenied", 404: "NoSuchBucket", 500: "InternalError", 503: "SlowDown"}
_LONGEST_SECONDS = 10


@dataclass(frozen=True)
class Request:
    """What a client asks for; the key is ``bucket/name``, decoded."""

    method: str
    key: str
    query: str = ""

    @property
    def is_chunk(self) -> bool:
        """Whether it is of a chunk or shard of an image's full size."""
        return "/0/" in self.key and not self.key.endswith((".json", ".zarray", ".zattrs"))


@dataclass(frozen=True)
class Status:
    """The proxy answers by itself, with an error as S3 words it."""

    status: int


@dataclass(frozen=True)
class Silent:
    """No answer, until the client has hung up."""


@dataclass(frozen=True)
class LostRequest:
    """The connection ends before the server hears of it."""


@dataclass(frozen=True)
class LostAnswer:
    """The server does what was asked, and the connection ends before the client hears of it."""


@dataclass(frozen=True)
class CutBody:
    """The connection ends in the middle of what the answer promised."""


@dataclass(frozen=True)
class ShortBody:
    """Half of the body, and the answer says that this is all of it."""


@dataclass(frozen=True)
class Together:
    """The answer waits until so many requests have come, or for as long as a test may take."""

    barrier: threading.Barrier = field(compare=False)


Fault = Status | Silent | LostRequest | LostAnswer | CutBody | ShortBody | Together | None


class FaultProxy:
    """Stands in front of one server, at one address from beginning to end.

    Parameters
    ----------
    upstream : str
        The server's address.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.guard = threading.Lock()
        self._port = 0
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.reset()
        self.up()

    def reset(self) -> None:
        """Forget what was asked, and fail no more."""
        with self.guard:
            self.asked: list[Request] = []
            self.failed: list[tuple[Request, Fault]] = []
            self.fault: Callable[[Request], Fault] = lambda request: None

    def up(self) -> None:
        """Listen; does nothing where it does already."""
        if self._server is None:
            self._server = _Server(self, self._port)
            self._port = self._server.server_address[1]
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
            self._thread.start()

    def down(self) -> None:
        """Refuse connections, and end those that there are."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            self._thread.join()
            server.server_close()
            server.hang_up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def decide(self, request: Request) -> Fault:
        with self.guard:
            self.asked.append(request)
            fault = self.fault(request)
            if fault is not None:
                self.failed.append((request, fault))
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # connections that a client keeps must not keep a test from ending
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy, port: int) -> None:
        self.proxy = proxy
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def hang_up(self) -> None:
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # headers and body are sent one after the other: each would wait for the other's receipt
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.upstream = HTTPConnection(self.server.proxy.upstream, timeout=_LONGEST_SECONDS)
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        self.upstream.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        request = Request(self.command, unquote(parts.path).strip("/"), parts.query)
        fault = self.server.proxy.decide(request)
        if isinstance(fault, LostRequest):
            self._hang_up()
            return
        body = self._body()
        if isinstance(fault, Silent):
            select.select([self.connection], [], [], _LONGEST_SECONDS)
            self._hang_up()
            return
        if isinstance(fault, Status):
            self._refuse(fault.status)
            return
        if isinstance(fault, Together):
            with suppress(threading.BrokenBarrierError):
                fault.barrier.wait(_LONGEST_SECONDS)
        answer = self._ask(body)
        if isinstance(fault, LostAnswer):
            answer.read()
            self._hang_up()
            return
        self._hand_on(answer, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _body(self) -> bytes:
        """The body as it was sent: signed pieces are the server's business."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    def _read(self, size: int) -> bytes:
        """So many bytes: what a client that died left half sent, a server refuses as well."""
        read = self.rfile.read(size)
        if len(read) < size:
            raise ConnectionAbortedError
        return read

    def _ask(self, body: bytes) -> HTTPResponse:
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "content-length", "expect", "transfer-encoding"):
                self.upstream.putheader(name, value)
        self.upstream.putheader("Content-Length", str(len(body)))
        self.upstream.endheaders(body)
        return self.upstream.getresponse()

    def _hand_on(self, answer: HTTPResponse, fault: Fault) -> None:
        body = answer.read()
        promised = len(body)
        if isinstance(fault, ShortBody):
            promised = len(body) // 2
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else promised
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(fault, CutBody):
            self.wfile.write(body[: len(body) // 2])
            self._hang_up()
            return
        self.wfile.write(body[:promised])

    def _refuse(self, status: int) -> None:
        code = _CODES.get(status, "Unknown")
        xml = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(xml)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(xml)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy that is there until the block ends."""
    proxy = FaultProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.down()
