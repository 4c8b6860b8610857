from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from napari_tessera.stacks.tiff.open_files import OpenFiles


def write(folder: Path, count: int) -> list[str]:
    paths = [str(folder / f"{number}.bin") for number in range(count)]
    for number, path in enumerate(paths):
        Path(path).write_bytes(bytes([number]) * 100)
    return paths


def open_in(folder: Path) -> int:
    """How many files in a folder this process has open: those of other tests close at any time."""
    descriptors = Path("/proc/self/fd")
    found = 0
    for name in os.listdir(descriptors):
        with suppress(FileNotFoundError):
            found += os.readlink(descriptors / name).startswith(str(folder))
    return found


linux_only = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")


def test_reads_at_any_position_and_no_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(100)))
    files = OpenFiles(4)
    with files.reading(str(path)) as read:
        assert read(10, 3) == b"\x0a\x0b\x0c"
        assert read(98, 10) == b"\x62\x63"
        assert read(100, 1) == b""
        assert read(50, 0) == b""
        # what a damaged file may ask for: nothing is made room for
        assert read(90, 2**60) == bytes(range(90, 100))
        assert read(2**63 + 5, 10) == b""
        assert read(2**80, 2**80) == b""
    files.close()


@linux_only
def test_only_some_files_are_open_at_a_time(tmp_path: Path) -> None:
    paths = write(tmp_path, 30)
    before = open_in(tmp_path)
    files = OpenFiles(5)
    for path in paths * 2:
        with files.reading(path) as read:
            assert read(7, 1) == bytes([paths.index(path)])
        assert open_in(tmp_path) <= before + 5
    files.close()
    assert open_in(tmp_path) == before
    assert len(files) == 0


@linux_only
def test_threads_read_from_more_files_than_may_be_open(tmp_path: Path) -> None:
    paths = write(tmp_path, 12)
    before = open_in(tmp_path)
    files = OpenFiles(2)

    def value(number: int) -> bytes:
        with files.reading(paths[number % 12]) as read:
            return read(number % 100, 1)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(value, range(3000)))
    assert found == [bytes([number % 12]) for number in range(3000)]
    assert open_in(tmp_path) <= before + 2
    files.close()
    assert open_in(tmp_path) == before


def test_a_file_that_is_kept_is_read_though_its_name_is_gone(tmp_path: Path) -> None:
    kept, *others = write(tmp_path, 4)
    files = OpenFiles(1)
    files.keep(kept, os.open(kept, os.O_RDONLY))
    Path(kept).unlink()
    for path in others:
        with files.reading(path) as read:
            read(0, 1)
    with files.reading(kept) as read:
        assert read(0, 2) == b"\0\0"
    files.close()


@linux_only
def test_what_is_being_read_closes_when_that_is_done(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 1)
    before = open_in(tmp_path)
    files = OpenFiles(1)
    with files.reading(path) as read:
        files.close()
        assert read(0, 1) == b"\0"
    assert open_in(tmp_path) == before
    with pytest.raises(OSError, match="closed"), files.reading(path):
        pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    files = OpenFiles(1)
    with pytest.raises(FileNotFoundError), files.reading(str(tmp_path / "none")):
        pass
    files.close()


@linux_only
def test_a_file_that_opens_slowly_holds_nobody_up(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 1)
    # opening a pipe to read takes until somebody opens it to write
    slow = str(tmp_path / "slow")
    os.mkfifo(slow)
    files = OpenFiles(4)

    def enter(path: str) -> None:
        with files.reading(path):
            pass

    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(enter, slow)
        try:
            with files.reading(path) as read:
                assert read(0, 1) == b"\0"
            assert not waiting.done()
        finally:
            writer = os.open(slow, os.O_RDWR)
            waiting.result(20)
            os.close(writer)
    files.close()


@linux_only
def test_threads_that_open_one_file_at_once_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(tmp_path, 1)
    before = open_in(tmp_path)
    both, real = Barrier(2), os.open

    def open_together(name: str, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        if name == path:
            both.wait(10)
        return real(name, flags, *mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_together)
    files = OpenFiles(4)

    def value(number: int) -> bytes:
        with files.reading(path) as read:
            return read(number, 1)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(value, [0, 1])) == [b"\0", b"\0"]
    assert len(files) == 1
    assert open_in(tmp_path) == before + 1
    files.close()
    assert open_in(tmp_path) == before


@linux_only
def test_a_file_that_opens_after_all_is_closed_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(tmp_path, 1)
    before = open_in(tmp_path)
    files, real = OpenFiles(4), os.open

    def open_late(name: str, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        if name == path:
            files.close()
        return real(name, flags, *mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_late)
    with pytest.raises(OSError, match="closed"), files.reading(path):
        pass
    assert open_in(tmp_path) == before
