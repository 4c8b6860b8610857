"""The document in the header of a safetensors file.

A safetensors file begins with the length of its header (8 bytes, little-endian) and the header, a
JSON object; its entry ``__metadata__`` maps text to text.
"""

from __future__ import annotations

import json

KEY = "napari_tessera"
"""Entry of the metadata that holds the document."""

MOST_HEADER = 16 * 2**20
"""Bytes of a header that is looked into; of a network with 10,000 weights it has one megabyte."""


def document_text(content: bytes) -> str | None:
    """The document of a model that this package trained.

    Parameters
    ----------
    content : bytes
        A whole file, or its beginning with the header.

    Returns
    -------
    str or None
        JSON, not looked at yet; None where the file is no safetensors file, or holds none.
    """
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(MOST_HEADER, len(content) - 8):
        return None
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        return None
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    return text if isinstance(text, str) else None
