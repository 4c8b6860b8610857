from __future__ import annotations

from pathlib import Path

import pytest

from napari_tessera.models.recent import (
    MOST,
    VARIABLE,
    forget_models,
    recent_models,
    remember_model,
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state" / "recent_models.json"


def _file(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    path.touch()
    return path


def test_the_newest_comes_first_and_each_once(state: Path, tmp_path: Path) -> None:
    one, two = _file(tmp_path, "one.pt"), _file(tmp_path, "two.pt")
    assert recent_models() == []
    for path in (one, two, one):
        remember_model(path)
    assert recent_models() == [str(one), str(two)]
    assert state.is_file()


def test_only_the_last_ones_that_are_still_there(state: Path, tmp_path: Path) -> None:
    paths = [_file(tmp_path, f"{n}.pt") for n in range(MOST + 3)]
    for path in paths:
        remember_model(str(path))
    assert recent_models() == [str(path) for path in reversed(paths[3:])]
    paths[-1].unlink()
    assert recent_models()[0] == str(paths[-2])


def test_what_is_no_file_is_not_remembered(state: Path, tmp_path: Path) -> None:
    remember_model("builtin:denoise2d")
    remember_model(tmp_path / "none.pt")
    remember_model("a\0b")
    remember_model("~of-nobody/net.pt")
    assert recent_models() == []


def test_folders_are_packages(state: Path, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    remember_model(tmp_path / "package")
    assert recent_models() == [str(tmp_path / "package")]


@pytest.mark.parametrize("content", ["", "{", "{}", "3", '[1, null, "x\\u0000y"]'])
def test_damage_is_as_if_nothing_was_there(state: Path, tmp_path: Path, content: str) -> None:
    state.parent.mkdir()
    state.write_text(content)
    assert recent_models() == []
    path = _file(tmp_path, "one.pt")
    remember_model(path)
    assert recent_models() == [str(path)]


def test_nothing_is_remembered_where_that_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    remember_model(_file(tmp_path, "one.pt"))
    assert recent_models() == []


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(_file(tmp_path, "file")))
    remember_model(_file(tmp_path, "one.pt"))
    assert recent_models() == []


def test_what_is_gone_is_kept_until_it_is_forgotten(state: Path, tmp_path: Path) -> None:
    one, two = _file(tmp_path, "one.pt"), _file(tmp_path, "two.pt")
    for path in (one, two):
        remember_model(path)
    one.unlink()
    remember_model(two)
    assert recent_models() == [str(two)]
    assert recent_models(missing=True) == [str(two), str(one)]
    forget_models([])
    forget_models([str(one), "unknown.pt"])
    assert recent_models(missing=True) == [str(two)]
