"""How many threads small inputs are worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def few_threads(are_enough: bool) -> Iterator[None]:
    """One thread where inputs are small: several would only wait for one another.

    They wait by spinning: where other programs want the cores too, that takes ten times as long.
    """
    before = torch.get_num_threads()
    if are_enough:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
