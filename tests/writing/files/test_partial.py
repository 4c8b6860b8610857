"""Files appear whole, by one writer, and nothing of a killed one stays."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tessera.writing import write_file
from napari_tessera.writing.files.partial import lock_file
from napari_tessera.writing.places import lock as places_lock
from napari_tessera.writing.places.lock import StoreBusyError

from .images import image

FILES = ["a.ome.tif", "a.tif", "a.npy"]

WAITING = """
import sys
import numpy as np
from napari_tessera.writing import write_file

class Waiting:
    shape, dtype = (3, 40, 50), np.dtype(np.uint8)

    def __getitem__(self, index):
        print("reading", flush=True)
        sys.stdin.readline()
        return np.ones([part.stop - part.start for part in index], np.uint8)

write_file(sys.argv[1], Waiting(), axes="ZYX")
"""


@pytest.mark.parametrize("name", FILES)
def test_the_second_writer_is_refused_and_of_a_killed_one_nothing_stays(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    others = {f".b{name}.{'0' * 32}.partial", f".{name}.mine.partial"}
    for other in others:
        (tmp_path / other).write_text("of somebody else")
    writer = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        while b"reading" not in writer.stdout.readline():
            assert writer.poll() is None
        with pytest.raises(StoreBusyError, match=rf"{name} is being written by .*pid {writer.pid}"):
            write_file(path, image("YX"), axes="YX")
    finally:
        writer.kill()
        writer.communicate()
    assert {entry.name for entry in tmp_path.iterdir()} > others
    write_file(path, image("YX"), axes="YX")
    assert {entry.name for entry in tmp_path.iterdir()} == {name, *others}


@pytest.mark.parametrize("name", FILES)
def test_who_has_the_lock_writes_under_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    lock = lock_file(path)
    assert lock is not None
    (tmp_path / f".{name}.{'0' * 32}.partial").write_text("of a killed writer")
    with lock:
        with pytest.raises(StoreBusyError):
            write_file(path, image("YX"), axes="YX")
        write_file(path, image("YX"), axes="YX", lock=lock)
        assert {entry.name for entry in tmp_path.iterdir()} == {name, f".{name}.lock"}
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FILES)
def test_on_a_disk_without_locks_files_are_written_and_partial_ones_stay(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(path: Path, note: Any) -> None:
        path.touch()
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(places_lock, "FileLock", no_locks)
    left = tmp_path / f".{name}.{'0' * 32}.partial"
    left.write_text("perhaps of one who goes on writing")
    assert lock_file(tmp_path / name) is None
    write_file(tmp_path / name, image("YX"), axes="YX")
    assert {entry.name for entry in tmp_path.iterdir()} == {name, left.name}


@pytest.mark.parametrize("name", FILES)
def test_after_an_error_the_lock_is_free(tmp_path: Path, name: str) -> None:
    class Unreadable:
        shape, dtype = (40, 50), np.dtype(np.uint8)

        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray[Any, Any]:
            raise RuntimeError("damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        write_file(tmp_path / name, Unreadable(), axes="YX")
    assert list(tmp_path.iterdir()) == []
