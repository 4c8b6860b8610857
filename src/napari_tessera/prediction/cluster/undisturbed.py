"""What workers of this computer are started with: Ctrl+C is for who started them.

A terminal sends the signal to all of its processes. The run stops its workers in good order; one
that ended by itself would only show where it was.
"""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Let SIGINT pass; called by Dask in the main thread of a worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
