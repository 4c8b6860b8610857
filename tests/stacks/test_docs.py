"""The page on stacks: the names and sizes that it tells of are so."""

from __future__ import annotations

import re
import tomllib

import pytest

from napari_tessera import stacks
from napari_tessera.stacks.opening.registry import ENTRY_POINT_GROUP


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "stacks.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_a_stack_of_ones_own_is_short(page: str) -> None:
    (own,) = [block for block in blocks(page, "python") if "class " in block]
    assert len(own.splitlines()) <= 40


def test_the_entry_point_is_the_one_that_is_asked(page: str) -> None:
    (block,) = blocks(page, "toml")
    assert list(tomllib.loads(block)["project"]["entry-points"]) == [ENTRY_POINT_GROUP]


def test_the_names_on_the_page_are_there(page: str) -> None:
    shown = set(re.findall(r"`(\w+(?:Stack|View))\b", page))
    assert shown <= set(dir(stacks))
