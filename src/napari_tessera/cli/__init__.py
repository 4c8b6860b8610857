"""The command line ``napari-tessera``, over the same engine as the dock.

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
    sys.unraisablehook = _not_of_signals
    try:
        interrupts.listen()
        for stream in (sys.stdout, sys.stderr):
            # a file name that the terminal's encoding has no letters for is no reason to fail
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        status = run()
        interrupts.ignore()
    except (Interrupted, Exception):
        interrupts.ignore()
        # modules that a signal left loaded by half raise any error
        if interrupts.signum is None:
            raise
        print("napari-tessera: interrupted: nothing was done", file=sys.stderr)
        status = interrupts.exit_status
    sys.exit(status)


def _not_of_signals(lost: sys.UnraisableHookArgs) -> None:
    """Print what was raised where nothing can be raised, but for a signal: that is kept."""
    if not issubclass(lost.exc_type, Interrupted):
        sys.__unraisablehook__(lost)
