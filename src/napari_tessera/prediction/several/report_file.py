"""The report on disk, written as the run goes on, but no oftener than it takes little time."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from napari_tessera.prediction.several.report import Report

SHARE = 0.05
"""Share of the time that may be spent on it: a report of 10,000 files takes a while."""


class ReportFile:
    """Keeps the report in the output folder.

    What is not written yet when a run is killed is found out from the files themselves.

    Parameters
    ----------
    folder : pathlib.Path
        The output folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = 0.0

    def put(self, report: Report, *, now: bool = False) -> None:
        """Write the report, where it is time.

        Parameters
        ----------
        report : Report
            The report.
        now : bool
            Write it in any case.

        Raises
        ------
        OSError
            If it has to be written and cannot be.
        """
        began = time.perf_counter()
        if now:
            report.write(self._folder)
        elif began >= self._next:
            # a disk that is full says so of the results
            with suppress(OSError):
                report.write(self._folder)
        else:
            return
        took = time.perf_counter() - began
        self._next = began + took / SHARE
