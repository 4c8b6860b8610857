from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from napari_tessera.writing.places.heartbeat import (
    BEAT_SECONDS,
    HEARTBEAT,
    STALE_SECONDS,
    Heartbeat,
    HeartbeatOfAnotherError,
)
from napari_tessera.writing.places.keys import keys_in, read_key, write_key
from napari_tessera.writing.places.lock import StoreBusyError, StoreLock, lock_store
from napari_tessera.writing.places.retrying import RetryingStore

from .failing_store import FailingStore

KEY = f"{HEARTBEAT}/zarr.json"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def time_of(store: MemoryStore) -> float:
    return float(json.loads(read_key(store, KEY) or b"")["attributes"]["time"])


def test_it_is_said_again_at_most_every_fifteen_seconds(counting_store: type) -> None:
    clock, store = Clock(), counting_store(MemoryStore())
    heart = Heartbeat(store, clock=clock)
    start = clock.now
    for _ in range(1000):
        clock.now += 0.01
        heart.beat()
    assert store.sets[KEY] == 1
    clock.now = start + BEAT_SECONDS
    heart.beat()
    assert store.sets[KEY] == 2
    assert time_of(store) == clock.now
    heart.release()
    assert keys_in(store) == []
    heart.release()


def test_one_that_was_silent_too_long_is_taken_over_and_finds_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, store = Clock(), MemoryStore()
    with monkeypatch.context() as there:
        there.setattr(socket, "gethostname", lambda: "elsewhere")
        first = StoreLock("here", Heartbeat(store, clock=clock))
    clock.now += STALE_SECONDS
    with pytest.raises(HeartbeatOfAnotherError):
        Heartbeat(store, clock=clock)
    clock.now += 1
    second = Heartbeat(store, clock=clock)
    with pytest.raises(StoreBusyError, match="here is being written by another run"):
        first.refresh()
    first.release()
    assert read_key(store, KEY) is not None
    clock.now += BEAT_SECONDS
    second.beat()
    second.release()
    assert keys_in(store) == []


def test_one_that_was_taken_over_by_a_writer_that_has_ended_finds_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, store = Clock(), MemoryStore()
    with monkeypatch.context() as there:
        there.setattr(socket, "gethostname", lambda: "elsewhere")
        first = StoreLock("here", Heartbeat(store, clock=clock))
    assert not first.lost
    clock.now += STALE_SECONDS + 1
    Heartbeat(store, clock=clock).release()
    for _ in range(2):
        with pytest.raises(StoreBusyError, match="here was taken over by another run, or removed"):
            first.refresh()
        assert first.lost
    first.release()
    assert keys_in(store) == []


def test_one_of_this_process_stands_as_long_as_its_writer(tmp_path: Path) -> None:
    clock, store = Clock(), MemoryStore()
    first = Heartbeat(store, clock=clock)
    clock.now += 2 * STALE_SECONDS
    with pytest.raises(HeartbeatOfAnotherError):
        Heartbeat(store, clock=clock)
    # dropped before it was released
    del first
    gc.collect()
    assert read_key(store, KEY) is not None
    Heartbeat(store, clock=clock).release()
    assert keys_in(store) == []


def test_a_heartbeat_of_the_far_future_is_of_a_wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, store = Clock(), MemoryStore()
    clock.now += 2 * STALE_SECONDS
    with monkeypatch.context() as there:
        there.setattr(socket, "gethostname", lambda: "elsewhere")
        held = Heartbeat(store, clock=clock)
    assert held is not None
    clock.now -= 2 * STALE_SECONDS
    Heartbeat(store, clock=clock).release()
    assert keys_in(store) == []


def test_a_process_that_was_killed_is_known_to_be_gone(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from zarr.storage import LocalStore\n"
        "from napari_tessera.writing.places.heartbeat import Heartbeat\n"
        "Heartbeat(LocalStore(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.zarr")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    store = LocalStore(tmp_path / "a.zarr")
    with pytest.raises(HeartbeatOfAnotherError, match=f"another process .pid {process.pid}."):
        Heartbeat(store)
    process.kill()
    process.communicate(timeout=60)
    Heartbeat(store).release()
    assert keys_in(store) == []


def test_the_number_of_a_process_that_is_another_one_now_is_no_writer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, store = Clock(), MemoryStore()
    held = Heartbeat(store, clock=clock)
    assert held is not None
    group = json.loads(read_key(store, KEY) or b"")
    group["attributes"]["born"] -= 1000
    write_key(store, KEY, json.dumps(group).encode())
    Heartbeat(store, clock=clock)
    # of another computer nothing is known
    write_key(store, KEY, json.dumps(group).encode())
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    with pytest.raises(HeartbeatOfAnotherError):
        Heartbeat(store, clock=clock)


@pytest.mark.parametrize("rest", [b"", b'{"zarr_format": 3', b"[]", b'{"attributes": {"pid": 1}}'])
def test_one_that_was_cut_off_is_none(rest: bytes) -> None:
    store = MemoryStore()
    write_key(store, KEY, rest)
    Heartbeat(store).release()
    assert keys_in(store) == []


def test_of_two_that_begin_at_once_only_one_goes_on() -> None:
    store = MemoryStore()

    class Other(MemoryStore):
        async def set(self, key: str, *args: object, **kwargs: object) -> None:
            await super().set(key, *args, **kwargs)  # type: ignore[arg-type]
            if key == KEY:
                # another one has read that nobody is there, and says last that it is
                await store.set(key, *args, **kwargs)  # type: ignore[arg-type]
                theirs = json.loads(self._store_dict[key].to_bytes())
                theirs["attributes"]["token"] = "theirs"
                value = type(self._store_dict[key]).from_bytes(json.dumps(theirs).encode())
                await super().set(key, value)

    with pytest.raises(HeartbeatOfAnotherError):
        Heartbeat(Other())


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["memory", "fsspec", "local"])
def test_readers_of_a_store_that_is_written_get_no_warning(
    tmp_path: Path, version: int, kind: str
) -> None:
    store = {
        "memory": MemoryStore(),
        "fsspec": FsspecStore.from_url(f"memory://{tmp_path.name}{version}/a.zarr"),
        "local": LocalStore(tmp_path / "a.zarr"),
    }[kind]
    heart = Heartbeat(store)
    group = zarr.create_group(store, zarr_format=version)  # type: ignore[arg-type]
    group.create_array("0", shape=(2, 2), dtype="u1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {name for name, _ in group.members()} >= {"0"}
        assert [name for name, _ in group.arrays()] == ["0"]
    heart.release()
    assert [name for name, _ in group.members()] == ["0"]


def test_a_network_that_fails_in_passing_loses_no_beat() -> None:
    clock, failing = Clock(), FailingStore(MemoryStore(), every=2)
    heart = Heartbeat(RetryingStore(failing, delays=(0.0, 0.0, 0.0)), clock=clock)
    for _ in range(5):
        clock.now += BEAT_SECONDS
        heart.beat()
    heart.release()
    assert sum(failing.failed.values()) > 5
    assert keys_in(failing._store) == []


def test_a_heartbeat_that_cannot_be_removed_spoils_no_run() -> None:
    dead: list[bool] = []
    failing = FailingStore(MemoryStore(), fails=lambda operation, key: bool(dead))
    lock = lock_store(RetryingStore(failing, delays=(0.0, 0.0, 0.0)))
    dead.append(True)
    lock.release()
    assert read_key(failing._store, KEY) is not None
