"""Where results of many files go: what is wrong stands beside its field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_tessera.widgets.files.options import FilesOptions


@pytest.fixture
def options(qtbot: Any) -> FilesOptions:
    fields = FilesOptions()
    qtbot.addWidget(fields)
    return fields


def marked(options: FilesOptions) -> tuple[bool, bool]:
    """Whether the folder, and the axes, are marked as wrong."""
    folder, axes = (edit.property("wrong") for edit in (options.out, options.axes_entry))
    return folder == "true", axes == "true"


@pytest.mark.parametrize(
    ("out", "axes", "wrong"),
    [
        ("here", "", (False, False)),
        ("here", "zyx", (False, False)),
        ("a.txt", "", (True, False)),
        ("a.txt", "zyx", (True, False)),
        ("", "zzx", (False, True)),
        ("a.txt", "zzx", (True, True)),
        ("a" * 300, "", (True, False)),
        ("~nobody-of-that-name/results", "", (True, False)),
    ],
)
def test_the_field_that_is_wrong_is_marked(
    options: FilesOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    axes: str,
    wrong: tuple[bool, bool],
) -> None:
    (tmp_path / "a.txt").write_text("no folder")
    monkeypatch.chdir(tmp_path)
    options.out.setText(out)
    options.axes_entry.setText(axes)
    options.settle()
    assert marked(options) == wrong
    assert bool(options.message.message) == any(wrong)
    assert bool(options.problem) == any(wrong)
