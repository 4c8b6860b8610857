"""Where patches for training may lie: outside what is held out, inside what is marked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.holding_out import HeldOut

MOST_GRADED = 500_000
"""Cells, over all samples, up to which regions that are marked in part are drawn from less."""

_LEAST = 0.1

_Cells = tuple[NDArray[np.bool_] | None, NDArray[np.float64] | None]


class Marked(Protocol):
    """What tells how much of each cell is to be trained on."""

    def key(self, sample: int) -> tuple[int, ...]:
        """Samples of one key are alike."""
        ...

    def shares(self, sample: int) -> NDArray[np.float32]:
        """Share of each cell, 0…1."""
        ...

    def excluded(self, sample: int) -> NDArray[np.bool_]:
        """Cells of which nothing is trained on."""
        ...


@dataclass(frozen=True)
class Where:
    """Cells that training keeps out of, sample by sample.

    Parameters
    ----------
    grid : CellGrid
        The cells.
    held : HeldOut
        What is held out.
    marked : Marked, optional
        What is to be trained on; without it everything.
    broken : dict from int to ndarray of bool
        Cells with pixels that are not finite, of samples that have such.
    """

    grid: CellGrid
    held: HeldOut
    marked: Marked | None = None
    broken: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    _kept: dict[tuple[Any, ...], _Cells] = field(default_factory=dict, repr=False)

    def excluded(self, sample: int) -> NDArray[np.bool_] | None:
        """Cells that no training patch of a sample may touch; None where it may touch all."""
        if self.held.cells is None and self.marked is None and sample not in self.broken:
            return None
        return self._of(sample)[0]

    def probabilities(self, sample: int) -> NDArray[np.float64] | None:
        """How often to draw from the region of each cell, 0.1…1; None where always alike.

        A region is a cell and those after it, as far as a patch reaches that starts in the cell;
        it counts fully where half of it is marked.
        """
        return None if self.marked is None else self._of(sample)[1]

    def _of(self, sample: int) -> _Cells:
        """Excluded cells and probabilities, worked out once for samples that are alike."""
        kind = self.kind(sample)
        if kind not in self._kept:
            self._kept[kind] = (self._excluded(sample), self._probabilities(sample))
        return self._kept[kind]

    def _excluded(self, sample: int) -> NDArray[np.bool_] | None:
        cells = np.zeros(self.grid.shape, np.bool_)
        if self.held.cells is not None:
            cells[tuple(slice(*along) for along in self.held.cells)] = True
        if self.marked is not None:
            cells |= self.marked.excluded(sample)
        if sample in self.broken:
            cells |= self.broken[sample]
        return cells if cells.any() else None

    def _probabilities(self, sample: int) -> NDArray[np.float64] | None:
        if self.marked is None or self.grid.size * len(self.held.training) > MOST_GRADED:
            return None
        shares = self.marked.shares(sample)
        regions = np.zeros(shares.shape)
        for steps in product((0, 1), repeat=shares.ndim):
            at = [
                np.minimum(np.arange(n) + step, n - 1)
                for n, step in zip(shares.shape, steps, strict=True)
            ]
            regions += shares[np.ix_(*at)] / 2**shares.ndim
        probs = np.clip(2 * regions, _LEAST, 1.0)
        return None if (probs == 1).all() else probs

    def kind(self, sample: int) -> tuple[Any, ...]:
        """Samples of one kind have the same cells and probabilities."""
        key = () if self.marked is None else self.marked.key(sample)
        return (key, sample if sample in self.broken else -1)

    def fingerprint(self) -> str:
        """Hash of what is held out and kept out of."""
        digest = hashlib.sha256(repr((self.grid, self.held.to_json())).encode())
        seen = set()
        for sample in self.held.training:
            kind = self.kind(sample)
            digest.update(repr((sample, kind)).encode())
            if kind in seen or (self.marked is None and sample not in self.broken):
                continue
            seen.add(kind)
            for cells in (self.excluded(sample), self.probabilities(sample)):
                digest.update(b"-" if cells is None else np.ascontiguousarray(cells).tobytes())
        return digest.hexdigest()
