"""Names as files can hold them."""

from __future__ import annotations

import re

_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain_text(text: str) -> str:
    """A text without what XML 1.0 cannot hold: control characters and halves of characters.

    Each is replaced by U+FFFD. Halves stand in names of files that are not UTF-8; one of
    either makes a whole document unreadable.
    """
    return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text)
