"""Telling people of chunks that a Zarr store does not have."""

from __future__ import annotations

from typing import Any


def absent_chunks(stack: Any) -> int:
    """How many chunks a stack has met that are not in its store; 0 of a stack without chunks."""
    return int(getattr(stack, "absent_chunks", 0))


def absent_text(stack: Any, count: int, name: str | None = None) -> str:
    """Say in one line that chunks of an image were absent; "" if none were.

    Parameters
    ----------
    stack : ImageStack
        The image, for its source and what absent chunks read as.
    count : int
        How many there are.
    name : str, optional
        What the image is called. Default: its source.
    """
    if not count:
        return ""
    one = count == 1
    return (
        f"{count:,} {'chunk' if one else 'chunks'} of {stack.source if name is None else name} "
        f"{'is' if one else 'are'} not in the store and {'was' if one else 'were'} read as "
        f"{fill_text(stack)}"
    )


def fill_text(stack: Any) -> str:
    """What absent chunks of a stack read as, looked for in the stacks that it is a view of."""
    while stack is not None:
        value = getattr(stack, "fill_value", None)
        if value is not None:
            return f"the fill value {value}"
        stack = getattr(stack, "stack", None)
    return "the fill value"
