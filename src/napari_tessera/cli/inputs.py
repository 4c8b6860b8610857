"""Opening what people name on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from napari_tessera.home_paths import from_home

if TYPE_CHECKING:
    from napari_tessera.cli.reporting import Reporter
    from napari_tessera.stacks import ImageStack

BUILTIN = "builtin:"
MODEL_SUFFIXES = frozenset({".ckpt", ".onnx", ".pt", ".pt2", ".pth", ".safetensors"})


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


def is_model(source: str) -> bool:
    """Tell whether an input is a model, by its content; a file that is neither counts as an image.

    A file that is named as models are, and is none, counts as a model: what is wrong with it is
    then said in a model's words.
    """
    from napari_tessera.models.file_kinds import FileKind, file_kind

    if source.startswith(BUILTIN):
        return True
    path = from_home(source)
    if path.suffix.lower() in MODEL_SUFFIXES:
        return True
    try:
        kind = file_kind(path)
    except OSError:
        return False
    # pickles have no mark of their own: images of the MRC kind may start with the same bytes
    return kind is not None and (kind is not FileKind.CHECKPOINT or is_zipfile(path))
