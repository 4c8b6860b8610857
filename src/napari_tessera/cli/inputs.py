"""Opening what people name on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_tessera.cli.reporting import Reporter
    from napari_tessera.stacks import ImageStack


@contextmanager
def open_input(
    source: str,
    axes: str | None,
    reporter: Reporter,
    channels: Sequence[int] | None = None,
) -> Iterator[ImageStack]:
    """Open an image for as long as the ``with`` block lasts (see `open_stack`)."""
    from napari_tessera.stacks import open_stack
    from napari_tessera.stacks.closing import close_stack

    with reporter.logged_as_lines("tifffile"):
        stack = open_stack(source, axes, channels=channels)
    try:
        with reporter.logged_as_lines("tifffile"):
            yield stack
    finally:
        close_stack(stack)
