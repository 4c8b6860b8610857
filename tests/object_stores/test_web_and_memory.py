"""Runs whose input is on a web server with TLS, and whose output is in fsspec's memory."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp
import fsspec
import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore

from napari_tessera import load_model, predict, predict_to_disk
from napari_tessera.stacks import StackReadError
from napari_tessera.stacks.zarr import retrying
from napari_tessera.writing import read_unfinished

from .images import SETTINGS, blur, store_image


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this computer, signed by itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def web(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[str]:
    """Address of a server of ``tmp_path``, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    handler = partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        server.handle_error = lambda *args: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def memory() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def test_from_a_web_server_to_memory(
    web: str,
    memory: Any,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = store_image(tmp_path / "in.ome.zarr", "chunks")
    model = load_model(blur(), device="cpu")
    expected = predict(pixels, model, **SETTINGS)
    source, out = f"{web}/in.ome.zarr", "memory://room/out.ome.zarr"
    monkeypatch.setattr(retrying, "DELAYS", ())
    with pytest.raises(StackReadError, match=r"in\.ome\.zarr cannot be opened as Zarr: .*certif"):
        predict_to_disk(source, model, out, **SETTINGS)
    assert not memory.exists("/room")
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusted)
    with pytest.raises(ValueError, match=r"https://.*/b\.ome\.zarr can only be read: save to"):
        predict_to_disk(source, model, f"{web}/b.ome.zarr", **SETTINGS)
    predict_to_disk(source, model, out, **SETTINGS)
    stored = read_unfinished(out)
    assert stored is not None
    assert stored.completed
    group = zarr.open_group(FsspecStore.from_url(out), mode="r")
    found: Any = group["0"]
    assert np.array_equal(found[:], expected)
    assert not any("tessera_" in name for name in memory.store)
    with pytest.raises(FileExistsError, match="overwrite it"):
        predict_to_disk(source, model, out, **SETTINGS)
    again = "memory://room/again.ome.zarr"
    predict_to_disk(out, model, again, **SETTINGS)
    assert memory.exists("/room/again.ome.zarr/0/c/0/0")
