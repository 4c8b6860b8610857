"""The checksum behind the index of a shard."""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's polynomial, bits reversed (RFC 3720, appendix B.4)."""


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes; for indices, of which each chunk has 16 bytes.

    Parameters
    ----------
    data : bytes
        What is summed up.

    Returns
    -------
    int
        32 bits.
    """
    table, found = _table(), 0xFFFFFFFF
    for byte in data:
        found = found >> 8 ^ table[(found ^ byte) & 0xFF]
    return found ^ 0xFFFFFFFF


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (_POLYNOMIAL if entry & 1 else 0)
        table.append(entry)
    return tuple(table)
