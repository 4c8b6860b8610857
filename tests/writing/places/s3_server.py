"""A server of S3's objects, as much of it as fsspec asks for, in the memory of this process."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3Server(ThreadingHTTPServer):
    """Buckets are made with their first object; keys are ``bucket/key``."""

    daemon_threads = True
    # connections that s3fs keeps must not keep a test from ending
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.guard = threading.Lock()
        # from method and key to the status of an error, None to go on
        self.fault: Callable[[str, str], int | None] = lambda method, key: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # headers and body are sent one after the other: each would wait for the other's receipt
    disable_nagle_algorithm = True
    server: S3Server

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        xml = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self._answer(status, xml.encode(), Content_Type="application/xml")

    def _asked(self) -> tuple[str, dict[str, str]] | None:
        """Key and query; None where this request is to fail."""
        self.body = self._body()
        parts = urlsplit(self.path)
        key = unquote(parts.path).strip("/")
        query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        with self.server.guard:
            self.server.requests.append((self.command, key))
            status = self.server.fault(self.command, key)
        if status is None:
            return key, query
        self._error(
            status,
            {403: "AccessDenied", 404: "NoSuchBucket", 500: "InternalError"}.get(
                status, "SlowDown"
            ),
        )
        return None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            whole = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            return _without_signatures(whole)
        return whole

    def do_GET(self) -> None:
        if (asked := self._asked()) is None:
            return
        key, query = asked
        if "list-type" in query or "/" not in key:
            self._list(key, query)
            return
        with self.server.guard:
            value = self.server.objects.get(key)
        if value is None:
            self._error(404, "NoSuchKey")
            return
        span = self.headers.get("Range")
        headers = {"ETag": _tag(value), "Last_Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
        if span is None:
            self._answer(200, value, **headers)
            return
        first, _, last = span.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(value) - int(last))
        stop = min(int(last) + 1, len(value)) if first and last else len(value)
        if start >= len(value):
            self._error(416, "InvalidRange")
            return
        headers["Content_Range"] = f"bytes {start}-{stop - 1}/{len(value)}"
        self._answer(206, value[start:stop], **headers)

    def do_HEAD(self) -> None:
        if (asked := self._asked()) is None:
            return
        key, _ = asked
        with self.server.guard:
            value = self.server.objects.get(key)
            is_bucket = "/" not in key
        if value is None and not is_bucket:
            self._answer(404)
            return
        value = value or b""
        self._answer(
            200,
            Content_Length=str(len(value)),
            ETag=_tag(value),
            Last_Modified="Wed, 01 Jan 2025 00:00:00 GMT",
        )

    def do_PUT(self) -> None:
        if (asked := self._asked()) is None:
            return
        key, _ = asked
        with self.server.guard:
            if "/" in key:
                self.server.objects[key] = self.body
        self._answer(200, ETag=_tag(self.body))

    def do_DELETE(self) -> None:
        if (asked := self._asked()) is None:
            return
        with self.server.guard:
            self.server.objects.pop(asked[0], None)
        self._answer(204)

    def do_POST(self) -> None:
        if (asked := self._asked()) is None:
            return
        bucket, query = asked
        if "delete" not in query:
            self._error(501, "NotImplemented")
            return
        names = [
            element.text or ""
            for element in ElementTree.fromstring(self.body).iter()
            if element.tag.endswith("Key")
        ]
        with self.server.guard:
            for name in names:
                self.server.objects.pop(f"{bucket}/{name}", None)
        deleted = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
        xml = f'<DeleteResult xmlns="{_NAMESPACE}">{deleted}</DeleteResult>'
        self._answer(200, xml.encode(), Content_Type="application/xml")

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        with self.server.guard:
            found = {
                name.removeprefix(f"{bucket}/"): len(value)
                for name, value in self.server.objects.items()
                if name.startswith(f"{bucket}/{prefix}")
            }
        keys, folders = [], set()
        for name in sorted(found):
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                keys.append(name)
        contents = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{found[name]}</Size>"
            "<LastModified>2025-01-01T00:00:00.000Z</LastModified>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for name in keys
        )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            for name in sorted(folders)
        )
        xml = (
            f'<ListBucketResult xmlns="{_NAMESPACE}"><Name>{bucket}</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(keys) + len(folders)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{contents}{common}"
            "</ListBucketResult>"
        )
        self._answer(200, xml.encode(), Content_Type="application/xml")


def _tag(value: bytes) -> str:
    return f'"{hashlib.md5(value, usedforsecurity=False).hexdigest()}"'


def _without_signatures(body: bytes) -> bytes:
    """The bytes of a body that AWS's client sent in signed pieces."""
    whole = b""
    while body:
        head, _, body = body.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        if not size:
            break
        whole, body = whole + body[:size], body[size + 2 :]
    return whole


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server that is there until the block ends."""
    with S3Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
