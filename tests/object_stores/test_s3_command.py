"""``napari-tessera predict`` from S3 to S3, killed in the middle and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_tessera.cli import run

from .buckets import CREDENTIALS, S3Place
from .fault_proxy import Fault, LostAnswer, LostRequest, Request, Status
from .images import store_image

N_OBJECTS = {"chunks": 12, "shards": 4, "zarr 2": 12}
CODE = "from napari_tessera.cli import main; main()"
WORDS = ("--patch-size", "128,128", "--batch-size", "1", "--threads", "1", "--progress", "none")


def start(s3: S3Place, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "predict", *words, *WORDS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | s3.environment() | {"OMP_NUM_THREADS": "1"} | environment,
    )


def finish(process: subprocess.Popen[str]) -> str:
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    return said


class Killer:
    """Kills a process, as kill −9 does, when it stores so many chunks."""

    def __init__(self, after: int, last: Fault) -> None:
        self.left = after
        self.last = last
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, request: Request) -> Fault:
        if request.method != "PUT" or not request.is_chunk:
            return None
        self.left -= 1
        if self.left >= 0:
            return None
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        return self.last


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
@pytest.mark.parametrize(
    ("layout", "model", "after", "last"),
    [
        ("chunks", "builtin:denoise2d", 3, LostRequest()),
        ("shards", "", 1, LostAnswer()),
        ("zarr 2", "", 7, LostRequest()),
    ],
    ids=["chunks", "shards", "zarr 2"],
)
def test_a_killed_run_is_gone_on_with(
    s3: S3Place, blur: str, layout: str, model: str, after: int, last: Fault
) -> None:
    image = s3.url(f"in {layout}.ome.zarr")
    store_image(image, layout)
    words = [image, "--model", model or blur, "--overlaps", "8,8"]
    words += ["--ome-version", "0.4"] if layout == "zarr 2" else []
    whole, out = s3.url("out/whole.ome.zarr"), s3.url("out/b.ome.zarr")
    # in this process, as most is: what another one begins with is known
    assert run(["predict", *words, *WORDS, whole]) == 0
    expected = s3.hashes("out/whole.ome.zarr")
    assert sum(Request("PUT", f"/{name}").is_chunk for name in expected) == N_OBJECTS[layout]
    s3.proxy.reset()
    s3.proxy.fault = killer = Killer(after, last)
    killer.process = process = start(s3, *words, out)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    s3.proxy.reset()
    left = s3.hashes("out/b.ome.zarr")
    assert any(name.startswith("tessera_ledger") for name in left)
    assert len({name for name in left if name in expected}) < len(expected)
    # the killed run's heartbeat is there, and known for what it is
    assert any(name.startswith("tessera_heartbeat") for name in left)
    if model:
        assert out in finish(start(s3, *words, out, "--resume"))
    else:
        assert run(["predict", *words, *WORDS, out, "--resume"]) == 0
    assert s3.hashes("out/b.ome.zarr") == expected
    assert run(["predict", *words, *WORDS, out, "--overwrite"]) == 0
    assert s3.hashes("out/b.ome.zarr") == expected


def test_the_command_goes_from_bucket_to_bucket(s3: S3Place, blur: str) -> None:
    """With the environment alone, and requests that fail now and then."""
    image, out = s3.url("in.ome.zarr"), s3.url("out.ome.zarr")
    store_image(image, "shards")
    seen: list[Request] = []

    def fault(request: Request) -> Fault:
        seen.append(request)
        return Status(503) if len(seen) in (5, 40) else None

    s3.proxy.reset()
    s3.proxy.fault = fault
    assert f"{out}: YX 384×512 float32" in finish(start(s3, image, out, "--model", blur))
    assert len(s3.proxy.failed) == 2
    assert {"zarr.json", "0/zarr.json", "0/c/0/0", "0/c/1/1"} <= set(s3.names_below("out.ome.zarr"))


@pytest.mark.slow
def test_a_public_bucket_needs_no_credentials(s3: S3Place, blur: str, tmp_path: Path) -> None:
    store_image(s3.url("in.ome.zarr"), "chunks")
    s3.share()
    out = tmp_path / "b.npy"
    unknown = {name: "" for name in CREDENTIALS if "KEY" in name}
    words = (s3.url("in.ome.zarr"), str(out), "--model", blur)
    finish(start(s3, *words, **unknown, FSSPEC_S3_ANON="true"))
    assert out.is_file()
