"""Temporary folders: locked while in use, removed where nobody uses them any more."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from napari_tessera.widgets.temporary import LOCK_NAME, PREFIX, TemporaryFolder, remove_leftovers

KILLED = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from napari_tessera.widgets.temporary import TemporaryFolder
folder = TemporaryFolder()
(folder.path / "pixels").write_bytes(b"1")
print(folder.path, flush=True)
sys.stdin.readline()
os._exit(9)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_in_use_stays_and_goes_when_it_is_removed(place: Path) -> None:
    folder = TemporaryFolder()
    (folder.path / "pixels").write_bytes(b"1")
    assert folder.path.parent == place
    assert remove_leftovers() == 0
    assert folder.path.exists()
    folder.remove()
    folder.remove()
    assert list(place.iterdir()) == []


def test_what_a_killed_session_left_goes_and_what_a_living_one_uses_stays(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdout is not None
        assert session.stdin is not None
        left = Path(session.stdout.readline().strip())
        assert remove_leftovers() == 0
        assert (left / "pixels").exists()
        session.stdin.write("\n")
        session.stdin.flush()
        assert session.wait(60) == 9
    assert remove_leftovers() == 1
    assert not left.exists()


def test_what_is_not_known_to_be_ours_stays(place: Path) -> None:
    unlocked = place / f"{PREFIX}being-made"
    unlocked.mkdir()
    elsewhere = place / "work"
    elsewhere.mkdir()
    (elsewhere / LOCK_NAME).write_text("")
    other = place / "other-program"
    other.mkdir()
    (other / LOCK_NAME).write_text("")
    if os.name != "nt":
        (place / f"{PREFIX}link").symlink_to(elsewhere)
    assert remove_leftovers() == 0
    assert unlocked.exists()
    assert (elsewhere / LOCK_NAME).exists()
    assert other.exists()
