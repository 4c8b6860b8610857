from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tessera.stacks.tiff.listing import (
    NoTiffError,
    is_pattern,
    letters_in_names,
    list_tiffs,
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def names(folder: Path, source: str | Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in list_tiffs(source)[1]]


def test_a_folder_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "img10.tif", "img3.TIFF", "img1.ome.tif", "img02.tif")
    # hidden, no TIFF, and not in this folder
    touch(tmp_path, ".img3.tif", "._img1.tif", "notes.txt", "Thumbs.db", "more/img4.tif")
    assert names(tmp_path, tmp_path) == ["img1.ome.tif", "img02.tif", "img3.TIFF", "img10.tif"]
    assert list_tiffs(str(tmp_path))[0] == str(tmp_path)
    assert names(tmp_path, tmp_path.as_uri()) == names(tmp_path, tmp_path)


def test_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "a/b_t10.tif", "a/b_t9.tif", "a/c.tif", "a/.b_t1.tif", "a/b_t1.csv")
    touch(tmp_path, "a/d/b_t1.tif", "a/.d/b_t1.tif")
    assert names(tmp_path, tmp_path / "a" / "b_*") == ["a/b_t9.tif", "a/b_t10.tif"]
    assert names(tmp_path, f"{tmp_path}/a/b_t[!1]*.tif") == ["a/b_t9.tif"]
    assert names(tmp_path, f"{tmp_path}/a/?.tif") == ["a/c.tif"]
    assert names(tmp_path, f"{tmp_path}/**/b_*.tif") == [
        "a/b_t9.tif",
        "a/b_t10.tif",
        "a/d/b_t1.tif",
    ]
    assert list_tiffs(f"{tmp_path}/a/?.tif")[0] == f"{tmp_path}/a/?.tif"


def test_a_pattern_that_is_the_name_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "run[1]/a.tif")
    assert names(tmp_path, tmp_path / "run[1]") == ["run[1]/a.tif"]


def test_files_one_by_one_keep_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.tif", "a.dat", "c/d.tif")
    b, a, d = tmp_path / "b.tif", tmp_path / "a.dat", tmp_path / "c" / "d.tif"
    for listed, end in (([b, a], "a.dat"), ([b, d], "d.tif")):
        name, files = list_tiffs([listed[0], str(listed[1])])
        assert files == listed
        assert re.fullmatch(rf"{re.escape(str(b))}…{end} \(2 files, [0-9a-f]{{8}}\)", name)
    assert list_tiffs([a]) == (str(a), [a])


def test_relative_names_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a1.tif", "a2.tif")
    monkeypatch.chdir(tmp_path)
    for source in (".", "*.tif", ["a1.tif", "a2.tif"]):
        assert list_tiffs(source)[1] == [tmp_path / "a1.tif", tmp_path / "a2.tif"]


def test_without_endings_the_content_tells(tmp_path: Path) -> None:
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"plane.{number:03d}", np.eye(4))
    touch(tmp_path, "notes.txt")
    assert names(tmp_path, tmp_path) == ["plane.001", "plane.002"]


def test_what_is_not_there(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt", "deep/b.tif")
    with pytest.raises(NoTiffError, match=r"is a folder without TIFF files \(.*\*\*.*\*\.tif\)"):
        list_tiffs(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoTiffError, match=r"empty is a folder without TIFF files$"):
        list_tiffs(tmp_path / "empty")
    with pytest.raises(NoTiffError, match=r"a\.\* stands for 1 files without a TIFF among them"):
        list_tiffs(tmp_path / "a.*")
    with pytest.raises(FileNotFoundError, match=r"\*\.tif stands for no file"):
        list_tiffs(tmp_path / "*.tif")
    with pytest.raises(FileNotFoundError, match="none does not exist"):
        list_tiffs(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"none\.tif is no file"):
        list_tiffs([tmp_path / "a.txt", tmp_path / "none.tif"])
    with pytest.raises(
        ValueError, match=r"a\.txt is neither a folder nor a pattern like .*\*\.tif"
    ):
        list_tiffs(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="no files given"):
        list_tiffs([])
    with pytest.raises(ValueError, match=r"https://a/\*\.tif is a URL"):
        list_tiffs("https://a/*.tif")


@pytest.mark.parametrize("text", ["*.tif", "a?.tif", "a[0-9].tif", "**/x"])
def test_patterns_are_known(text: str) -> None:
    assert is_pattern(text)
    assert not is_pattern("run []1.tif")


@pytest.mark.parametrize(
    ("files", "letters"),
    [
        (["img_t001.tif", "img_t002.tif"], "T"),
        (["img_T1.tif", "img_T02.tif"], "T"),
        (["a_z000.tif", "a_z001.tif"], "Z"),
        (["slice 1.tif", "slice 2.tif"], "Z"),
        (["time-1.tif", "time-2.tif"], "T"),
        (["2024_frame_1.tif", "2024_frame_2.tif"], "T"),
        # what does not change counts nothing
        (["t1_z1.tif", "t1_z2.tif"], "Z"),
        (["t1_z1.tif", "t1_z2.tif", "t2_z1.tif"], "TZ"),
        # no word, no word that is known, names that are not alike
        (["1.tif", "2.tif"], ""),
        (["img1.tif", "img2.tif"], ""),
        (["t1.tif", "z2.tif"], ""),
        (["t1.tif", "t2a.tif"], ""),
        (["t1.tif"], ""),
    ],
)
def test_letters_in_names(files: list[str], letters: str) -> None:
    assert letters_in_names([Path("folder_z1") / file for file in files]) == letters
