"""Workers that fail before they are at work: told of with the reason, and never waited for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from napari_tessera import load_model, predict_to_disk
from napari_tessera.prediction.cluster import ClusterError, cluster_client
from napari_tessera.prediction.cluster import gathering as gathering_module
from napari_tessera.prediction.cluster.model_plugin import model_plugin_name
from napari_tessera.prediction.cluster.parcels import parcels_of

from .scenes import SETTINGS, left_behind, write_model

SECONDS = 30.0
"""How long workers may take to be changed."""


@contextmanager
def on_workers(client: Any, name: str, make: Callable[[], Any]) -> Iterator[None]:
    """Put something else in the place of a method of a class in all workers."""
    module, kind, method = name.rsplit(".", 2)

    # within a function, so that it is sent whole: workers know no tests
    def put() -> None:
        import importlib

        owner = getattr(importlib.import_module(module), kind)
        owner._before = getattr(owner, method)
        setattr(owner, method, make())

    def back() -> None:
        import importlib

        owner = getattr(importlib.import_module(module), kind)
        setattr(owner, method, owner._before)
        del owner._before

    client.run(put, callback_timeout=SECONDS)
    try:
        yield
    finally:
        client.run(back, callback_timeout=SECONDS)


def failures() -> dict[str, Callable[[], Any]]:
    """What makes each method that fails: local functions, so that they are sent whole too."""

    def setup() -> Any:
        async def fails(self: Any, worker: Any) -> None:
            raise OSError("libcudart.so.11.0: cannot open shared object file")

        return fails

    def unsaid() -> Any:
        class Unsaid(Exception):
            def __reduce__(self) -> Any:
                raise TypeError("this is not sent")

        async def fails(self: Any, worker: Any) -> None:
            raise Unsaid("for a reason of its own")

        return fails

    def look() -> Any:
        def fails(self: Any) -> Any:
            raise ZeroDivisionError("not foreseen")

        return fails

    def panic() -> Any:
        class Panic(BaseException):
            """As what libraries in Rust raise."""

        def fails(self: Any) -> str:
            raise Panic("index out of bounds")

        return fails

    def offer() -> Any:
        async def fails(self: Any, **resources: float) -> None:
            raise OSError("the connection was closed")

        return fails

    return {"setup": setup, "unsaid": unsaid, "look": look, "panic": panic, "offer": offer}


RUN = "napari_tessera.prediction.cluster.run_plugin.RunPlugin"
SIDE = "napari_tessera.prediction.cluster.worker_side.WorkerSide"
OFFER = "distributed.worker.Worker.set_resources"


@pytest.mark.parametrize(
    ("how", "name", "told"),
    [
        ("setup", f"{RUN}.setup", r"cannot take part \(OSError: libcudart.*\): look at its log"),
        ("unsaid", f"{RUN}.setup", r"cannot take part \(Unsaid: for a reason of its own\): look"),
        ("look", f"{RUN}.look", r"does not say how it stands \(ZeroDivisionError: not foreseen"),
        ("panic", f"{SIDE}._open", "ended while it was getting ready: look at its log"),
        ("offer", OFFER, r"cannot offer itself to the scheduler \(OSError: the connection was"),
    ],
)
def test_a_worker_that_fails_is_told_of_and_not_waited_for(
    client: Any, how: str, name: str, told: str, image: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.ome.zarr"
    with (
        on_workers(client, name, failures()[how]),
        pytest.raises(OSError, match=rf"no worker can take part.*worker tcp://\S+ {told}") as said,
    ):
        predict_to_disk(image, model, out, client=client, **SETTINGS)
    assert "\n" not in str(said.value)


def test_a_model_that_a_worker_cannot_keep_is_told_of_and_may_come_again(
    client: Any, image: Path, tmp_path: Path
) -> None:
    """As on a disk that is full: what was begun of it is gone, and the next run sends it anew."""
    model = write_model(tmp_path / "own.pt", seed=21)
    _, (parcel,) = parcels_of(load_model(model))
    name = model_plugin_name(parcel.sha256)

    def in_the_way(dask_worker: Any) -> None:
        from pathlib import Path

        Path(dask_worker.local_directory, name).touch()

    def away(dask_worker: Any) -> bool:
        from pathlib import Path

        Path(dask_worker.local_directory, name).unlink()
        return name in dask_worker.plugins

    client.run(in_the_way, callback_timeout=SECONDS)
    try:
        with pytest.raises(ClusterError, match=r"cannot take part \(FileExistsError: .*look at"):
            predict_to_disk(image, model, tmp_path / "a.ome.zarr", client=client, **SETTINGS)
    finally:
        there = client.run(away, callback_timeout=SECONDS)
    assert set(there.values()) == {False}
    out = predict_to_disk(image, model, tmp_path / "a.ome.zarr", client=client, **SETTINGS)
    assert left_behind(out)


def test_a_worker_that_cannot_say_which_models_it_has_is_told_of(
    client: Any, image: Path, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "own.pt", seed=22)
    _, (parcel,) = parcels_of(load_model(model))
    name = model_plugin_name(parcel.sha256)

    def something_else(dask_worker: Any) -> None:
        dask_worker.plugins[name] = object()

    def away(dask_worker: Any) -> None:
        del dask_worker.plugins[name]

    client.run(something_else, callback_timeout=SECONDS)
    try:
        with pytest.raises(ClusterError, match=r"cannot take part \(AttributeError: .*look at"):
            predict_to_disk(image, model, tmp_path / "a.ome.zarr", client=client, **SETTINGS)
    finally:
        client.run(away, callback_timeout=SECONDS)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_worker_that_stands_still_holds_nobody_up(
    image: Path,
    model: Path,
    alone: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process is there and says nothing: the other worker does all, and joins at once."""
    monkeypatch.setattr(gathering_module, "OTHERS_SECONDS", 0.1)
    out = tmp_path / "a.ome.zarr"
    with cluster_client("local", workers=2, threads_per_worker=1) as client:
        pids = client.run(os.getpid)
        silent = min(pids)
        os.kill(pids[silent], signal.SIGSTOP)
        try:
            predict_to_disk(image, model, out, client=client, **SETTINGS)
        finally:
            os.kill(pids[silent], signal.SIGCONT)
    assert left_behind(out) == alone
