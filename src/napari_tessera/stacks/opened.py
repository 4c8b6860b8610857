"""A stack for as long as it is needed, closed afterwards by whoever opened it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari_tessera.stacks.closing import close_stack
from napari_tessera.stacks.opening.open import open_stack
from napari_tessera.stacks.protocol import ImageStack


@contextmanager
def opened(source: Any) -> Iterator[ImageStack]:
    """Open what `open_stack` takes for the length of a ``with`` block.

    Parameters
    ----------
    source : ImageStack, or anything that `open_stack` takes
        A stack that is open already stays open.

    Raises
    ------
    FileNotFoundError, ValueError, StackReadError
        As `open_stack`.
    """
    stack = open_stack(source)
    try:
        yield stack
    finally:
        if stack is not source:
            close_stack(stack)
