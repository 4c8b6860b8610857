"""What all stacks have in common that show another one in their own way."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from napari_tessera.stacks.absent import absent_chunks
from napari_tessera.stacks.closing import close_stack
from napari_tessera.stacks.origins import read_origins
from napari_tessera.stacks.protocol import ImageStack
from napari_tessera.stacks.read_once import read_once
from napari_tessera.stacks.reading.expected import ExpectedReads


class StackView:
    """Tells of another stack what is the same of the view, and closes it where it owns it.

    Parameters
    ----------
    stack : ImageStack
        The stack to look at.
    owns : bool, optional
        Whether the stack is closed with the view: of one that somebody else opened it is not.
    """

    def __init__(self, stack: ImageStack, *, owns: bool = False) -> None:
        self.stack = stack
        """The stack that is looked at."""
        self._owns = owns

    @property
    def source(self) -> str:
        """Source of the stack."""
        return self.stack.source

    @property
    def data_dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.stack.data_dtype

    @property
    def original_data_shape(self) -> tuple[int, ...]:
        """Shape of the stack in its own axes."""
        return tuple(self.stack.original_data_shape)

    @property
    def origins(self) -> tuple[Path, ...]:
        """Local files and folders that the stack reads from."""
        return read_origins(self.stack)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """What the stack reads at once, in the order of its own axes; None for memory."""
        chunks: tuple[int, ...] | None = getattr(self.stack, "chunks", None)
        return chunks

    @property
    def shards(self) -> tuple[int, ...] | None:
        """Shards of the stack, in the order of its own axes; None without."""
        shards: tuple[int, ...] | None = getattr(self.stack, "shards", None)
        return shards

    @property
    def waits(self) -> bool:
        """Whether the stack's reads are answered late (see `ArrayStack.waits`)."""
        return bool(getattr(self.stack, "waits", False))

    @property
    def absent_chunks(self) -> int:
        """Absent chunks that the stack has met (see `ZarrStack.absent_chunks`)."""
        return absent_chunks(self.stack)

    def reading_once(self, expected: ExpectedReads | None) -> Self:
        """The same view for one pass over the image (see `read_once`)."""
        # what is read of a view are other parts of the stack
        stack = read_once(self.stack)
        if stack is self.stack:
            return self
        view = copy(self)
        view.stack, view._owns = stack, False
        return view

    def close(self) -> None:
        """Close the stack, if the view owns it."""
        if self._owns:
            close_stack(self.stack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
