"""Closing stacks, not all of which can be closed."""

from __future__ import annotations

from napari_tessera.stacks.protocol import ImageStack


def close_stack(stack: ImageStack) -> None:
    """Close a stack; one of somebody's own kind need not have a ``close``."""
    close = getattr(stack, "close", None)
    if callable(close):
        close()
