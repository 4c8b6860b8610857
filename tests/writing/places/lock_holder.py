"""A process that takes and lets go the lock of a place as it is told, a word a line.

Run as ``python lock_holder.py PLACE``. Answers to ``take`` with ``held`` or the error, to ``let
go`` with ``free``; ends when its input does.
"""

from __future__ import annotations

import sys

from napari_tessera.writing.places.lock import StoreLock, lock_store


def main(place: str) -> None:
    lock: StoreLock | None = None
    for line in sys.stdin:
        if line.strip() == "take":
            try:
                lock = lock_store(place)
                print("held", flush=True)
            except OSError as error:
                print(f"{type(error).__name__}: {error}", flush=True)
        elif lock is not None:
            lock.release()
            print("free", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
