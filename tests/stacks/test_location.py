from __future__ import annotations

from pathlib import Path

import pytest

from napari_tessera.stacks.opening.location import Location, parse_location


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.h5", "b#1.h5", "c.tif", "c.tif#1", "with space.h5"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d#2").mkdir()
    (tmp_path / "d#2" / "a.h5").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "name", "part"),
    [
        ("a.h5", "a.h5", None),
        ("a.h5#/group/data", "a.h5", "/group/data"),
        ("a.h5#Scene 1", "a.h5", "Scene 1"),
        ("a.h5#", "a.h5", ""),
        # the # of a file's own name, with and without a part behind it
        ("b#1.h5", "b#1.h5", None),
        ("b#1.h5#/data", "b#1.h5", "/data"),
        ("d#2/a.h5#/data", "d#2/a.h5", "/data"),
        # the # of a part's name
        ("a.h5#/data#3", "a.h5", "/data#3"),
        ("b#1.h5#/data#3", "b#1.h5", "/data#3"),
        # what is there by the whole name is meant
        ("c.tif#1", "c.tif#1", None),
        ("c.tif#2", "c.tif", "2"),
        # what is not there is named as it was written
        ("none.h5#/data", "none.h5#/data", None),
        ("none#1.tif", "none#1.tif", None),
        ("d#2/#x", "d#2/#x", None),
        ("#x", "#x", None),
    ],
)
def test_splits_at_the_file(text: str, name: str, part: str | None, folder: Path) -> None:
    found = parse_location(f"{folder}/{text}")
    assert (found.path, found.part) == (folder / name, part)


def test_relative_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert parse_location("a.h5#x") == Location("a.h5#x", Path("a.h5"), "x")
    assert parse_location("#x") == Location("#x", Path("#x"))


@pytest.mark.parametrize(
    ("url", "name", "part"),
    [
        ("a.h5#/data", "a.h5", "/data"),
        ("b#1.h5", "b#1.h5", None),
        ("b%231.h5", "b#1.h5", None),
        ("b%231.h5#/data", "b#1.h5", "/data"),
        ("with%20space.h5#/a b", "with space.h5", "/a b"),
    ],
)
def test_file_urls(url: str, name: str, part: str | None, folder: Path) -> None:
    found = parse_location(f"{folder.as_uri()}/{url}")
    assert (found.path, found.part) == (folder / name, part)


def test_other_urls_are_left_alone() -> None:
    url = "https://example.org/a.zarr#part"
    assert parse_location(url) == Location(url, None)


def test_names_that_no_file_can_have() -> None:
    assert parse_location("a\0b").part is None
    assert parse_location("x" * 5000 + "#1").part is None


def test_a_part_where_there_are_none(folder: Path) -> None:
    assert parse_location(str(folder / "a.h5")).whole() == folder / "a.h5"
    with pytest.raises(ValueError, match=r"a\.h5 has no parts to choose by '#', 'x' was given"):
        parse_location(str(folder / "a.h5#x")).whole()
