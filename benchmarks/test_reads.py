"""Random 256 × 256 patches from each kind of file, by a stack and by its library alone.

`python -m benchmarks.stacks_table` takes both by turns, which a busy machine disturbs less.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

from .backends import BACKENDS, Read, positions


@pytest.fixture(scope="module", params=BACKENDS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, tuple[Read, Read]]]:
    """A kind of file, and both ways to read it."""
    folder = tmp_path_factory.mktemp("image")
    with BACKENDS[request.param].opened(folder) as both:
        yield request.param, both


@pytest.mark.parametrize("reader", ["stack", "bare"])
def test_read(benchmark: Any, opened: tuple[str, tuple[Read, Read]], reader: str) -> None:
    name, (ours, bare) = opened
    benchmark.group = name
    where = cycle(positions(2000))
    read = ours if reader == "stack" else bare
    assert benchmark(lambda: read(*next(where))).shape == (256, 256)
