"""Which block is next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_tessera.region import Selection
from napari_tessera.writing.stored.block_cut import BlockCut


class BlockOrder:
    """Hands out the blocks of a run, each once; those that somebody looks at first.

    Parameters
    ----------
    cut : BlockCut
        The blocks.
    done : numpy.ndarray of bool
        Of each whether it is done.
    wanted : callable, optional
        Gives the selection of the output that is looked at, or None; asked for every block.
    """

    def __init__(
        self,
        cut: BlockCut,
        done: NDArray[np.bool_],
        wanted: Callable[[], Selection | None] | None = None,
    ) -> None:
        self._cut = cut
        self._waiting: NDArray[np.bool_] = ~done
        self._wanted = wanted
        self._selection: Selection | None = None
        self._order: Sequence[int] = cut.first()
        self._at = 0

    def take(self) -> int | None:
        """Number of the next block; None where there is none left."""
        wanted = None if self._wanted is None else self._wanted()
        if wanted is not self._selection and wanted != self._selection:
            self._selection, self._at = wanted, 0
            self._order = self._cut.first(wanted)
        while self._at < len(self._order):
            number = self._order[self._at]
            self._at += 1
            if self._waiting[number]:
                self._waiting[number] = False
                return number
        return None
