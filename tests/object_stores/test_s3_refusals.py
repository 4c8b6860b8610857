"""What a run from or to S3 refuses: one line each, before anything is predicted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_tessera.cli import run
from napari_tessera.stacks.zarr import retrying
from napari_tessera.writing.places.lock import lock_store

from .buckets import CREDENTIALS, S3Place
from .fault_proxy import Status
from .images import store_image

WORDS = ("--patch-size", "128,128", "--threads", "1", "--progress", "none")
Refused = Callable[..., str]


@pytest.fixture
def refused(
    s3: S3Place, blur: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Refused:
    """Run a command that must fail with one line, and give that."""
    monkeypatch.setattr(retrying, "DELAYS", (0.0, 0.0, 0.0))
    store_image(s3.url("in.ome.zarr"), "chunks")
    s3.proxy.reset()

    def call(output: str, *words: str, source: str | None = None) -> str:
        capfd.readouterr()
        status = run(
            ["predict", source or s3.url("in.ome.zarr"), output, "-m", blur, *WORDS, *words]
        )
        errors = capfd.readouterr().err
        assert status == 1, errors
        lines = errors.splitlines()
        assert len(lines) == 1, errors
        return lines[0]

    return call


def test_who_does_not_say_who_asks_is_told_how(
    s3: S3Place, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        if "KEY" in name:
            monkeypatch.delenv(name)
    s3.reconnect()
    message = refused(s3.url("out.ome.zarr"))
    assert "needs to know who asks" in message
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in message


def test_a_bucket_that_is_not_there_is_told(s3: S3Place, refused: Refused) -> None:
    assert re.search(
        r"s3://nowhere-1/b\.ome\.zarr cannot be made .*: create",
        refused("s3://nowhere-1/b.ome.zarr"),
    )
    message = refused(s3.url("out.ome.zarr"), source="s3://nowhere-1/a.ome.zarr")
    assert "s3://nowhere-1/a.ome.zarr holds no Zarr" in message
    assert "there is no bucket 'nowhere-1'" in message
    assert "bucket" not in refused(s3.url("out.ome.zarr"), source=s3.url("x.ome.zarr")).replace(
        s3.bucket, ""
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_what_one_may_not_is_told(
    s3: S3Place, refused: Refused, method: str, tmp_path: Path
) -> None:
    s3.proxy.fault = lambda request: (
        Status(403)
        if request.method == method and "out.ome" in request.key + request.query
        else None
    )
    message = refused(s3.url("out.ome.zarr"))
    assert "out.ome.zarr may not be written to or read (PermissionError: " in message
    assert "mend its permissions" in message
    s3.proxy.fault = lambda request: Status(403)
    message = refused(str(tmp_path / "out.tif"))
    assert "in.ome.zarr cannot be opened as Zarr: access is refused (PermissionError: " in message
    assert "s3:ListBucket" in message


def test_a_server_that_is_not_there_is_told(s3: S3Place, refused: Refused, tmp_path: Path) -> None:
    s3.proxy.down()
    message = refused(s3.url("out.ome.zarr"))
    assert "out.ome.zarr failed 4 times, at last with: EndpointConnectionError" in message
    message = refused(str(tmp_path / "out.tif"))
    assert "in.ome.zarr cannot be opened as Zarr: asked 4 times, at last Endpoint" in message


@pytest.mark.parametrize("place", ["https://127.0.0.1:9/b.ome.zarr", "http://h/b.zarr?x=1"])
def test_a_web_server_takes_no_output(s3: S3Place, refused: Refused, place: str) -> None:
    assert f"{place} can only be read: save to a local path, or to an object store" in refused(
        place
    )


def test_a_second_run_into_one_place_is_refused(s3: S3Place, refused: Refused) -> None:
    with lock_store(s3.url("out.ome.zarr")):
        for words in ((), ("--overwrite",), ("--resume",)):
            assert "is being written by another" in refused(s3.url("out.ome.zarr"), *words)
