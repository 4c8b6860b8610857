"""What goes wrong with blocks: tried again, given up, or the end of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class BlockError(OSError):
    """What ends a run: it would go wrong with every block."""


@dataclass(frozen=True)
class Failure:
    """A block that failed as often as it was tried.

    Parameters
    ----------
    number : int
        Of the block.
    message : str
        What went wrong the last time, in one line.
    worker : str
        Where it did; empty where that is not known.
    """

    number: int
    message: str
    worker: str = ""


@dataclass
class Trouble:
    """What has gone wrong so far with a block that is tried again.

    Parameters
    ----------
    failures, killed, suspected, astray : int
        How often it failed; its worker's process ended with it; Dask gave it up; it came back from
        workers that had nothing to do with it.
    message, worker : str
        What went wrong the last time, and where.
    avoid : set of str
        Workers that it is not given to again as long as there are others.
    since : float
        When that began, by `time.monotonic`.
    """

    failures: int = 0
    killed: int = 0
    suspected: int = 0
    astray: int = 0
    message: str = ""
    worker: str = ""
    avoid: set[str] = field(default_factory=set)
    since: float = field(default_factory=time.monotonic)
