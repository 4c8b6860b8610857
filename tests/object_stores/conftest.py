"""One S3 server for all tests of object stores, and a proxy in front of it that can fail."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .buckets import S3Place
from .fault_proxy import FaultProxy, fault_proxy
from .images import model_file


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Address of the server."""
    command = [sys.executable, str(Path(__file__).with_name("s3_process.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


@pytest.fixture(scope="session")
def _proxy(s3_url: str) -> Iterator[FaultProxy]:
    with fault_proxy(s3_url) as proxy:
        yield proxy


@pytest.fixture
def s3(_proxy: FaultProxy, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Place]:
    """A bucket of the test's own, behind the proxy that this process' environment names."""
    place = S3Place(f"bucket-{uuid.uuid4().hex[:8]}", _proxy, s3_url)
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
    place.reconnect()
    _proxy.reset()
    yield place
    _proxy.reset()
    _proxy.up()
    place.reconnect()


@pytest.fixture(scope="session")
def blur(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model as a file, for other processes."""
    return str(model_file(tmp_path_factory.mktemp("model")))
