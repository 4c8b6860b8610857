"""Reading an image tile by tile, with halos that overlap, and decoding each chunk once."""

from __future__ import annotations

from typing import Any

from napari_tessera.stacks.protocol import ImageStack
from napari_tessera.stacks.reading.expected import ExpectedReads


def read_once(stack: ImageStack, expected: ExpectedReads | None = None) -> ImageStack:
    """A stack for one pass over an image, of which each chunk is decoded once.

    Parameters
    ----------
    stack : ImageStack
        The image. One of somebody's own kind is asked for ``reading_once`` where it has that.
    expected : ExpectedReads, optional
        What is going to be read, and in which order: then a chunk is kept as long as it is going
        to be needed, and no longer. Without it those used last are kept.

    Returns
    -------
    ImageStack
        The same pixels; the stack itself where nothing is to be gained. It is let go of without
        being closed, and gives nothing any more once the stack is closed.
    """
    reading_once: Any = getattr(stack, "reading_once", None)
    if not callable(reading_once):
        return stack
    once: ImageStack = reading_once(expected)
    return once
