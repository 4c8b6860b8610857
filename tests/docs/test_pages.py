"""Every block of every page runs, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .blocks import Runner
from .pages import ROOT, SLOW, pages


@pytest.mark.filterwarnings("ignore:.*(torch.jit|TorchScript|feature will be)")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else []) for page in pages()],
)
def test_the_blocks_of_the_page_run(page: str, run_page: Callable[[Path], Runner]) -> None:
    run_page(ROOT / page)


def test_slow_pages_are_there() -> None:
    assert set(pages()) >= SLOW
