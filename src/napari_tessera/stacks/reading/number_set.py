"""Sets of numbers out of a large range, one bit each."""

from __future__ import annotations

from threading import Lock

_PAGE_BITS = 15
_PAGE_BYTES = 2**_PAGE_BITS // 8
MOST_PAGES = 16_384
"""Pages that are kept: 64 MiB, half a thousand million numbers that lie close together."""


class NumberSet:
    """A set of non-negative integers whose memory is bounded. Thread-safe.

    Numbers that lie close together share a page of 4 KiB; pages are made as they are needed.
    What would need one page more than allowed is forgotten.

    Parameters
    ----------
    most_pages : int, optional
        Pages that may be made.
    """

    def __init__(self, most_pages: int = MOST_PAGES) -> None:
        self._most_pages = most_pages
        self._pages: dict[int, bytearray] = {}
        self._count = 0
        self._lock = Lock()

    def add(self, number: int) -> bool:
        """Add a number.

        Returns
        -------
        bool
            Whether it was not in the set and now is.
        """
        at, bit = divmod(number & (2**_PAGE_BITS - 1), 8)
        with self._lock:
            page = self._pages.get(number >> _PAGE_BITS)
            if page is None:
                if len(self._pages) >= self._most_pages:
                    return False
                page = self._pages[number >> _PAGE_BITS] = bytearray(_PAGE_BYTES)
            if page[at] & (1 << bit):
                return False
            page[at] |= 1 << bit
            self._count += 1
            return True

    def __contains__(self, number: int) -> bool:
        at, bit = divmod(number & (2**_PAGE_BITS - 1), 8)
        page = self._pages.get(number >> _PAGE_BITS)
        return page is not None and bool(page[at] & (1 << bit))

    def __len__(self) -> int:
        return self._count
