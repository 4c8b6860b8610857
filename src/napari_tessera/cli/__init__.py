"""The command line: ``napari-tessera predict | info | demo`` over the same engine as the dock.

This module is what the command imports first. It imports nothing that takes time, so that signals
are heard from the start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from napari_tessera.cli.interrupts import Interrupted, Interrupts


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the command's name; those of this process by default.

    Returns
    -------
    int
        Exit status.
    """
    from napari_tessera.cli.app import run_command

    return run_command(arguments)


def main() -> None:
    """Entry point of the command ``napari-tessera``."""
    interrupts = Interrupts()
    try:
        interrupts.listen()
        for stream in (sys.stdout, sys.stderr):
            # a file name that the terminal's encoding has no letters for is no reason to fail
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        status = run()
        interrupts.ignore()
    except Interrupted:
        interrupts.ignore()
        print("napari-tessera: interrupted: nothing was done", file=sys.stderr)
        status = interrupts.exit_status
    sys.exit(status)
