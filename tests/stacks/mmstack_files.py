"""Micro-Manager's stacks: TIFF with a header and an index of planes of its own.

tifffile reads them and writes none, so their bytes are put together here, after
https://micro-manager.org/Micro-Manager_File_Formats.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUMMARY: dict[str, Any] = {
    "MicroManagerVersion": "1.4.22",
    "Slices": 1,
    "Positions": 1,
    "SlicesFirst": True,
    "TimeFirst": True,
    "PixelSize_um": 0.5,
    "Interval_ms": 2000,
}
_TAGS = 13
_DIRECTORY_BYTES = 2 + 12 * _TAGS + 4


def write_mmstack(path: Path, array: NDArray[np.uint16], **summary: Any) -> list[int]:
    """Write T×C×Y×X; gives where each plane begins.

    Further settings go into the summary, which may speak of more planes than are written.
    """
    times, channels, rows, columns = array.shape
    told = {**SUMMARY, "Frames": times, "Channels": channels, **summary}
    text = json.dumps(told).encode()
    start = 40 + len(text)
    start += start % 2
    plane_bytes = rows * columns * 2
    metadata = b"{}  "
    step = _DIRECTORY_BYTES + plane_bytes + len(metadata)
    planes = [
        (c, 0, t, 0, start + (t * channels + c) * step)
        for t in range(times)
        for c in range(channels)
    ]
    index_at = start + len(planes) * step
    head = struct.pack(
        "<2sHI8I", b"II", 42, start, 54773648, index_at, 0, 0, 0, 0, 2355492, len(text)
    )
    content = bytearray((head + text).ljust(start, b"\0"))
    for number, (c, _, t, _, offset) in enumerate(planes):
        pixels_at = offset + _DIRECTORY_BYTES
        following = planes[number + 1][-1] if number + 1 < len(planes) else 0
        tags = [
            (256, 4, 1, columns),
            (257, 4, 1, rows),
            (258, 3, 1, 16),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 1, pixels_at),
            (277, 3, 1, 1),
            (278, 3, 1, rows),
            (279, 4, 1, plane_bytes),
            (284, 3, 1, 1),
            (296, 3, 1, 1),
            (339, 3, 1, 1),
            (51123, 2, len(metadata), pixels_at + plane_bytes),
        ]
        assert len(tags) == _TAGS
        content += struct.pack("<H", len(tags))
        content += b"".join(struct.pack("<HHII", *tag) for tag in tags)
        content += struct.pack("<I", following) + array[t, c].astype("<u2").tobytes() + metadata
    content += struct.pack("<II", 3453623, len(planes))
    content += np.array(planes, "<u4").tobytes()
    path.write_bytes(content)
    return [offset + _DIRECTORY_BYTES for *_, offset in planes]
