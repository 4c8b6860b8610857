"""What has become of each tile of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_tessera.prediction import PredictionPlan

WAITING, RUNNING, DONE, FAILED, SKIPPED = range(5)
STATE_NAMES = ("waiting", "running", "done", "failed", "skipped")


class TileStates:
    """State of each tile, one byte a tile; a change costs only what changes.

    Parameters
    ----------
    n_tiles : int
        Number of tiles, those that are skipped included.
    skipped : numpy.ndarray of bool, optional
        Of each tile whether it is not predicted; None where all are.
    done : iterable of int
        Tiles that are finished.
    """

    def __init__(
        self, n_tiles: int, skipped: NDArray[np.bool_] | None = None, done: Iterable[int] = ()
    ) -> None:
        self._states = np.full(n_tiles, WAITING, np.uint8)
        if skipped is not None:
            self._states[skipped] = SKIPPED
        self._running = np.zeros(0, np.int64)
        self._states[self._predicted(_numbers(done))] = DONE
        self._counts = np.bincount(self._states, minlength=len(STATE_NAMES))

    @classmethod
    def of(cls, plan: PredictionPlan, done: Iterable[int] = ()) -> TileStates:
        """States of a plan's tiles before any other is done."""
        return cls(plan.tiles.n_tiles, plan.skipped, done)

    @property
    def values(self) -> NDArray[np.uint8]:
        """State of each tile: `WAITING`, `RUNNING`, `DONE`, `FAILED` or `SKIPPED`. Read-only."""
        seen = self._states.view()
        seen.setflags(write=False)
        return seen

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of tiles in each state, in the order of `STATE_NAMES`."""
        return tuple(self._counts.tolist())

    @property
    def running(self) -> NDArray[np.int64]:
        """Numbers of the tiles that are at work."""
        return self._running

    def mark(
        self, finished: Iterable[int], running: Iterable[int], failed: Iterable[int] = ()
    ) -> NDArray[np.int64]:
        """Take note of what happened.

        Parameters
        ----------
        finished : iterable of int
            Tiles that are done now, besides those that are so already.
        running : iterable of int
            All tiles that are at work; one that was and is neither finished nor failed waits
            again.
        failed : iterable of int
            Tiles that an error ended; they stay so until they are at work again, or finished.

        Returns
        -------
        numpy.ndarray of int
            Tiles whose state is another one now.
        """
        now_done = self._predicted(_numbers(finished))
        now_failed = self._predicted(_numbers(failed))
        at_work = self._predicted(_numbers(running))
        touched = np.unique(np.concatenate([now_done, now_failed, at_work, self._running]))
        before = self._states[touched]
        self._states[self._running[self._states[self._running] == RUNNING]] = WAITING
        self._states[now_failed] = FAILED
        # What was seen at work may be done by now.
        at_work = at_work[self._states[at_work] != DONE]
        self._states[at_work] = RUNNING
        self._states[now_done] = DONE
        self._running = np.unique(at_work[self._states[at_work] == RUNNING])
        return self._changed(touched, before)

    def set_done(self, done: Iterable[int]) -> NDArray[np.int64]:
        """Let these tiles be done and no others; those that were wait again.

        Returns
        -------
        numpy.ndarray of int
            Tiles whose state is another one now.
        """
        now_done = self._predicted(_numbers(done))
        touched = np.unique(np.concatenate([now_done, np.flatnonzero(self._states == DONE)]))
        before = self._states[touched]
        self._states[touched] = WAITING
        self._states[now_done] = DONE
        self._running = self._running[self._states[self._running] == RUNNING]
        return self._changed(touched, before)

    def _predicted(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        predicted: NDArray[np.int64] = tiles[self._states[tiles] != SKIPPED]
        return predicted

    def _changed(self, touched: NDArray[np.int64], before: NDArray[np.uint8]) -> NDArray[np.int64]:
        after = self._states[touched]
        n = len(STATE_NAMES)
        self._counts += np.bincount(after, minlength=n) - np.bincount(before, minlength=n)
        changed: NDArray[np.int64] = touched[before != after]
        return changed


def together(states: NDArray[np.uint8], axis: int = 0) -> NDArray[np.uint8]:
    """One state for tiles that are seen as one, such as those of three colours.

    A failed one or one at work is what is seen; they are done when all are.
    """
    found: NDArray[np.uint8] = states.max(axis=axis)
    found[(states == WAITING).any(axis=axis)] = WAITING
    found[(states == DONE).any(axis=axis) & (states != WAITING).all(axis=axis)] = DONE
    for state in (RUNNING, FAILED):
        found[(states == state).any(axis=axis)] = state
    return found


def _numbers(tiles: Iterable[int]) -> NDArray[np.int64]:
    if isinstance(tiles, np.ndarray):
        return tiles.astype(np.int64, copy=False)
    return np.fromiter(tiles, np.int64)
