"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_tessera.home_paths import from_home


def test_home_of_this_user_and_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert from_home("~/a.tif") == tmp_path / "a.tif"
    assert from_home(Path("~") / "a.tif") == tmp_path / "a.tif"
    assert from_home("b/~.tif") == Path("b/~.tif")
    # what follows says that it does not exist
    assert from_home("~nobody-of-this-name/a.tif") == Path("~nobody-of-this-name/a.tif")
