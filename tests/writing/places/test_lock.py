from __future__ import annotations

import errno
import gc
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from napari_tessera.writing.places import file_lock
from napari_tessera.writing.places.lock import StoreBusyError, lock_store
from napari_tessera.writing.places.removal import is_free
from napari_tessera.writing.places.retrying import StoreError

HOLDER = Path(__file__).with_name("lock_holder.py")


class Holder:
    """Another process that takes the lock of a place when it is told to."""

    def __init__(self, place: Path | str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HOLDER), str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, what: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def two_holders(tmp_path: Path) -> Iterator[tuple[Holder, Holder]]:
    # both at once: starting takes the longest
    holders = Holder(tmp_path / "a.zarr"), Holder(tmp_path / "a.zarr")
    yield holders
    for holder in holders:
        if holder.process.returncode is None:
            holder.kill()


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.zarr.zip", "a.tif"])
def test_the_second_writer_of_this_process_is_refused(tmp_path: Path, name: str) -> None:
    with lock_store(tmp_path / name) as lock:
        assert names(tmp_path) == [f".{name}.lock"]
        with pytest.raises(StoreBusyError) as caught:
            lock_store(str(tmp_path / name))
        assert str(caught.value) == (
            f"{tmp_path / name} is being written by another run of this program: wait or choose "
            "another name"
        )
        lock_store(tmp_path / f"other_{name}").release()
        lock.refresh()
    assert names(tmp_path) == []
    lock.release()
    lock_store(tmp_path / name).release()


def test_however_the_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.zarr"
    stores = [LocalStore(path), FsspecStore.from_url(f"local://{path}")]
    with lock_store(path):
        for where in ("a.zarr", f"file://{path}", path, *stores):
            with pytest.raises(StoreBusyError):
                lock_store(where)


def test_the_second_process_is_refused_and_a_killed_one_holds_nothing(
    tmp_path: Path, two_holders: tuple[Holder, Holder]
) -> None:
    place = tmp_path / "a.zarr"
    first, second = two_holders
    assert first.tell("take") == "held"
    with pytest.raises(StoreBusyError) as caught:
        lock_store(place)
    who = f"{place} is being written by another process (pid {first.process.pid}): wait or"
    assert str(caught.value).startswith(who)
    assert second.tell("take").startswith(f"StoreBusyError: {who}")
    first.kill()
    assert names(tmp_path) == [".a.zarr.lock"]
    with lock_store(place):
        assert f"(pid {os.getpid()})" in second.tell("take")
    assert names(tmp_path) == []
    assert second.tell("take") == "held"
    assert second.tell("let go") == "free"
    assert names(tmp_path) == []


def test_one_at_a_time_however_many_ask(tmp_path: Path) -> None:
    place = tmp_path / "a.zarr"
    n_threads, inside, most = 8, 0, 0
    guard, start = Lock(), Barrier(8)

    def ask(_: int) -> int:
        nonlocal inside, most
        taken = 0
        start.wait()
        while taken < 20:
            try:
                lock = lock_store(place)
            except StoreBusyError:
                continue
            with guard:
                inside += 1
                most = max(most, inside)
            taken += 1
            with guard:
                inside -= 1
            lock.release()
        return taken

    with ThreadPoolExecutor(n_threads) as pool:
        assert list(pool.map(ask, range(n_threads))) == [20] * n_threads
    assert most == 1
    assert names(tmp_path) == []


def test_the_lock_of_a_writer_that_was_dropped_goes(tmp_path: Path) -> None:
    lock = lock_store(tmp_path / "a.zarr")
    del lock
    gc.collect()
    assert names(tmp_path) == []
    lock_store(tmp_path / "a.zarr").release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
def test_a_forked_process_does_not_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = file_lock.FileLock(tmp_path / "lock", _note())
    with monkeypatch.context() as child:
        # what a fork would see; a real one would take the threads of zarr with it half
        child.setattr(file_lock.os, "getpid", lambda: -1)
        twin = file_lock.FileLock.__new__(file_lock.FileLock)
        twin.path, twin._owner = lock.path, lock._owner
        twin._descriptor = os.dup(lock._descriptor or 0)
        twin.release()
    with pytest.raises(BlockingIOError):
        file_lock.FileLock(tmp_path / "lock", _note())
    lock.release()
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="a file that is open cannot be removed there")
def test_a_lock_on_a_file_that_was_removed_meanwhile_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".a.zarr.lock"
    first = file_lock.FileLock(path, _note())
    really_lock = file_lock._lock
    opened = []

    def lock_late(descriptor: int) -> None:
        # between opening the file and locking it its owner lets go, and removes it
        if not opened:
            first.release()
        opened.append(os.fstat(descriptor).st_ino)
        really_lock(descriptor)

    monkeypatch.setattr(file_lock, "_lock", lock_late)
    second = file_lock.FileLock(path, _note())
    assert len(opened) == 2
    monkeypatch.undo()
    with pytest.raises(BlockingIOError):
        file_lock.FileLock(path, _note())
    second.release()
    assert names(tmp_path) == []


def test_files_that_come_and_go_all_the_time_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "_is_at", lambda descriptor, path: False)
    with pytest.raises(StoreBusyError, match="being written by"):
        lock_store(tmp_path / "a.zarr")


def test_someone_elses_lock_file_that_is_no_note_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".a.zarr.lock").write_text("not JSON, and far longer than what comes next " * 50)
    with lock_store(tmp_path / "a.zarr"), pytest.raises(StoreBusyError, match="run of this prog"):
        lock_store(tmp_path / "a.zarr")
    assert names(tmp_path) == []


def test_an_owner_that_cannot_be_read_is_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock_store(tmp_path / "a.zarr"):
        (tmp_path / ".a.zarr.lock").write_text("")
        with pytest.raises(StoreBusyError, match="by another process: wait"):
            lock_store(tmp_path / "a.zarr")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    (tmp_path / ".a.zarr.lock").symlink_to(mine)
    with pytest.raises(StoreError) as caught:
        lock_store(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)
    assert mine.read_text() == "years of work"


def test_a_folder_that_takes_no_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *args: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        # root may write everywhere
        patch.setattr(file_lock.os, "open", refuse)
        with pytest.raises(StoreError, match="may not be written to or read") as caught:
            lock_store(tmp_path / "a.zarr")
    assert caught.value.errno == errno.EACCES
    with pytest.raises(FileNotFoundError):
        file_lock.FileLock(tmp_path / "none" / "a.lock", _note())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may play someone else")
def test_a_lock_file_that_may_only_be_read_is_locked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".a.zarr.lock"
    path.write_text("")
    really_open = os.open

    def readable(path: Path, flags: int, *args: Any) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags, *args)

    monkeypatch.setattr(file_lock.os, "open", readable)
    with lock_store(tmp_path / "a.zarr"), pytest.raises(StoreBusyError):
        lock_store(tmp_path / "a.zarr")
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="flock is Unix'")
def test_a_disk_that_knows_no_locks_has_a_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock.fcntl, "flock", unknown)
    place = tmp_path / "a.zarr"
    with lock_store(place):
        assert (place / "tessera_heartbeat" / "zarr.json").exists()
        assert is_free(place)
        with pytest.raises(StoreBusyError, match="another run of this program"):
            lock_store(place)
        zarr.create_group(LocalStore(place))
    assert names(place) == ["zarr.json"]
    assert names(tmp_path) == ["a.zarr"]


@pytest.mark.parametrize("make", [MemoryStore, lambda: f"memory://{os.urandom(8).hex()}/a.zarr"])
def test_a_place_without_files_has_a_heartbeat(make: Callable[[], Any]) -> None:
    place = make()
    with lock_store(place) as lock:
        with pytest.raises(StoreBusyError, match="another run of this program"):
            lock_store(place)
        lock.refresh()
        assert is_free(place)
    assert is_free(place)
    lock_store(place).release()


def test_a_writer_on_another_computer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    with monkeypatch.context() as there:
        there.setattr(socket, "gethostname", lambda: "scope-3")
        lock = lock_store(store, clock=lambda: 1_700_000_000.0)
    with pytest.raises(StoreBusyError) as caught:
        lock_store(store, clock=lambda: 1_700_000_100.0)
    assert (
        f"by a process on scope-3 (pid {os.getpid()}, last seen 2023-11-14 22:13 UTC): wait"
        in str(caught.value)
    )
    lock.release()


def test_what_can_only_be_read_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.zarr/zarr.json", "{}")
    with pytest.raises(ValueError, match=r"a\.zarr.* cannot be written to \(.*: choose") as caught:
        lock_store(f"zip://a.zarr::{tmp_path}/a.zip")
    assert "\n" not in str(caught.value)


def _note() -> file_lock.WriterNote:
    return file_lock.WriterNote.of_this_process("token", 0.0)
