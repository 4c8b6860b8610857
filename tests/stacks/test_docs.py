"""The page on stacks: what it shows runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from napari_tessera import stacks
from napari_tessera.stacks.opening.registry import ENTRY_POINT_GROUP


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "stacks.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_the_code_on_the_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    try:
        for block in blocks(page, "python"):
            exec(compile(block, "docs/stacks.md", "exec"), names)
        for settings in ({"level": 1}, {"channels": [1]}):
            with pytest.raises(ValueError, match=r"cells\.raw has one channel and one level"):
                stacks.open_stack("cells.raw", **settings)
    finally:
        stacks.unregister_stack(names["open_raw"])
    # the stack of one's own fails as others do
    (tmp_path / "cells.raw").write_bytes(b"short")
    with pytest.raises(stacks.StackReadError, match=r"cells\.raw cannot be read at T=0 Y=3: cut"):
        names["RawMovie"]("cells.raw").extract_patch(0, None, (3, 0), (8, 8))


def test_a_stack_of_ones_own_is_short(page: str) -> None:
    (own,) = [block for block in blocks(page, "python") if "class " in block]
    assert len(own.splitlines()) <= 40


def test_the_entry_point_is_the_one_that_is_asked(page: str) -> None:
    (block,) = blocks(page, "toml")
    assert list(tomllib.loads(block)["project"]["entry-points"]) == [ENTRY_POINT_GROUP]


def test_the_names_on_the_page_are_there(page: str) -> None:
    shown = set(re.findall(r"`(\w+(?:Stack|View))\b", page))
    assert shown <= set(stacks.__all__)
