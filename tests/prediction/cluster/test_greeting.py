"""A first word with what is no scheduler, whatever it answers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from napari_tessera.prediction.cluster.errors import ClusterError
from napari_tessera.prediction.cluster.greeting import greet


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """The address of something that says the same to whoever comes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass

        thread = Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(20)


def framed(*frames: bytes) -> bytes:
    """Frames as Dask sends them: size of all, their number, the size of each."""
    lengths = struct.pack("Q", len(frames)) + b"".join(struct.pack("Q", len(f)) for f in frames)
    body = lengths + b"".join(frames)
    return struct.pack("Q", len(body)) + body


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0" * 64,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        framed(b"\xc1"),
        framed(b"\x81\xa2op\xa4what"),
        framed(b"\x93\x01\x02\x03"),
        framed(b"\x80", b"\x80\x04\x95", b"rest"),
        struct.pack("Q", 16) + struct.pack("Q", 2**61) + b"\0" * 8,
    ],
    ids=["nothing", "zeros", "web", "ssh", "never", "half", "list", "frames", "many frames"],
)
def test_whatever_answers_that_is_no_scheduler_is_one_clear_line(said: bytes) -> None:
    with answering(said) as address, pytest.raises(ClusterError) as told:
        greet(address, 2.0)
    text = str(told.value)
    assert "\n" not in text
    assert address in text
    assert "check the port" in text
