"""The page on patching: every strategy is on it, and its numbers are so."""

from __future__ import annotations

import re
from math import ceil, prod
from typing import get_args

import pytest

from napari_tessera import patching


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "patching.md").read_text(encoding="utf-8")


def test_the_page_names_every_strategy_and_configuration(page: str) -> None:
    table = page[page.index("|---|") : page.index("Only tiles may be larger")]
    for config in get_args(patching.PatchingConfig):
        assert f"`{config.__name__}`" in page
        assert f'`"{config.name}"`' in page
    strategies = {name for name in patching.__all__ if re.fullmatch(r"\w+Patching", name)}
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == strategies


@pytest.mark.parametrize(("size", "patch", "overlap"), [(64, 16, 4), (65, 16, 8), (16, 16, 8)])
def test_the_numbers_of_patches_are_those_of_the_table(size: int, patch: int, overlap: int) -> None:
    shapes, patches, overlaps = [(3, 1, size, 2 * size)], (patch, patch), (overlap, overlap)
    sizes, step = (size, 2 * size), patch - overlap
    n_tiles = 3 * prod(max(1, ceil((s - overlap) / step)) for s in sizes)
    n_random = 3 * prod(ceil(s / patch) for s in sizes)
    n_grid = 3 * prod(ceil((s - patch) / step) + 1 for s in sizes)
    assert patching.TiledPatching(shapes, patches, overlaps).n_patches == n_tiles
    assert patching.RandomPatching(shapes, patches).n_patches == n_random
    assert patching.FixedRandomPatching(shapes, patches).n_patches == n_random
    assert patching.SequentialPatching(shapes, patches, overlaps).n_patches == n_grid
    assert patching.WholeSamplePatching(shapes).n_patches == 3
    stratified = patching.StratifiedPatching(shapes, patches).n_patches
    assert abs(stratified - 3 * prod(s / patch for s in sizes)) <= 3
