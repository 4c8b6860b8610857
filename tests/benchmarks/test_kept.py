"""What came from a file is what was written, of the same method, version and pixels."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quality_parts.kept import Kept


def asked(file: Kept, *key: str, calls: list[str]) -> object:
    def work() -> dict[str, object]:
        calls.append(key[0])
        return {"psnr": 31.5}

    return file.of(*key, work)["psnr"]


def test_work_is_done_once_for_each_method_version_and_image(tmp_path: Path) -> None:
    path, calls = tmp_path / "kept.json", []
    keys = [
        ("BM3D", "4.0.3", "fish", "aa"),
        ("BM3D", "4.0.4", "fish", "aa"),
        ("BM3D", "4.0.3", "fish", "bb"),
        ("NLM", "4.0.3", "fish", "aa"),
    ]
    for _ in range(2):
        file = Kept(path)
        assert [asked(file, *key, calls=calls) for key in keys] == [31.5] * 4
    assert calls == ["BM3D", "BM3D", "BM3D", "NLM"]
    assert file.found == {"BM3D": 3, "NLM": 1}
    assert "BM3D (3 of 3), NLM (1 of 1)" in file.words
    assert [name.name for name in tmp_path.iterdir()] == ["kept.json"]


def test_two_that_write_to_one_file_keep_what_the_other_has_added(tmp_path: Path) -> None:
    path, calls = tmp_path / "kept.json", []
    first, second = Kept(path), Kept(path)
    asked(first, "BM3D", "4.0.3", "fish", "aa", calls=calls)
    asked(second, "NLM", "0.26", "fish", "aa", calls=calls)
    after = Kept(path)
    asked(after, "BM3D", "4.0.3", "fish", "aa", calls=calls)
    asked(after, "NLM", "0.26", "fish", "aa", calls=calls)
    assert calls == ["BM3D", "NLM"]


def test_nothing_is_kept_without_a_file() -> None:
    calls: list[str] = []
    for _ in range(2):
        file = Kept(None)
        asked(file, "BM3D", "4.0.3", "fish", "aa", calls=calls)
    assert len(calls) == 2
    assert file.words == "No figure came from a file."
