"""Telling people of chunks, strips and tiles that a store or file does not have."""

from __future__ import annotations

from typing import Any

_CHUNK = "chunk"


def absent_chunks(stack: Any) -> int:
    """How many chunks a stack has met that are not in its store; 0 of a stack without chunks.

    Of a TIFF file, its strips or tiles are meant.
    """
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
        f"{counted(stack, count)} of {stack.source if name is None else name} "
        f"{'is' if one else 'are'} not in the {_place(stack)} and {'was' if one else 'were'} read "
        f"as {fill_text(stack)}"
    )


def counted(stack: Any, count: int) -> str:
    """``1 chunk``, ``1,234 tiles``: what a stack lacks, in its own words."""
    name = _found(stack, "absent_name") or _CHUNK
    return f"{count:,} {name if count == 1 else name + 's'}"


def _place(stack: Any) -> str:
    return "store" if _found(stack, "absent_name") in (None, _CHUNK) else "file"


def fill_text(stack: Any) -> str:
    """What absent chunks of a stack read as, looked for in the stacks that it is a view of."""
    value = _found(stack, "fill_value")
    return "the fill value" if value is None else f"the fill value {value}"


def _found(stack: Any, name: str) -> Any:
    """What a stack, or the first of those that it is a view of, says of itself; None: none does."""
    while stack is not None:
        value = getattr(stack, name, None)
        if value is not None:
            return value
        stack = getattr(stack, "stack", None)
    return None
