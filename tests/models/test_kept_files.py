from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_tessera.models.kept_files import kept_folder, read_json, write_json


def test_which_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_FOLDER", raising=False)
    assert kept_folder("SOME_FOLDER", "usual") == Path("usual")
    monkeypatch.setenv("SOME_FOLDER", "other")
    assert kept_folder("SOME_FOLDER", "usual") == Path("other")
    monkeypatch.setenv("SOME_FOLDER", "")
    assert kept_folder("SOME_FOLDER", "usual") is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    assert read_json(path) is None
    assert write_json(path, {"µ": [1, None]})
    assert read_json(path) == {"µ": [1, None]}
    assert [file.name for file in path.parent.iterdir()] == ["b.json"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "b.json").mkdir()
    assert not write_json(tmp_path / "b.json", 1)
    assert [file.name for file in tmp_path.iterdir()] == ["b.json"]
    (tmp_path / "file").touch()
    assert not write_json(tmp_path / "file" / "b.json", 1)


_WRITER = """
import sys
from pathlib import Path
from napari_tessera.models.kept_files import write_json
for n in range(60):
    assert write_json(Path(sys.argv[1]), [sys.argv[2]] * 5_000)
"""


def test_readers_see_one_whole_file_while_several_processes_write(tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in ("a", "b")
    ]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            content = read_json(path)
            assert content in (["a"] * 5_000, ["b"] * 5_000)
            seen += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen
    assert [file.name for file in tmp_path.iterdir()] == ["shared.json"]
