"""Tooltips of what others wrote: text, never markup."""

from __future__ import annotations

import html

MOST = 1500
"""Characters of a tooltip: what a file says can be of any length."""

_LINE = 100


def plain_tip(text: str) -> str:
    """Tooltip that shows a text as it stands, whatever stands in it.

    Qt takes a tooltip that looks like HTML for HTML, and then reads the pictures that it names: a
    model file that somebody sent could have files of this machine opened.

    Parameters
    ----------
    text : str
        What a file says, or a message that may quote it.

    Returns
    -------
    str
        The text itself where it can be nothing but text and its lines are short; else HTML in
        which all of it is escaped, and that wraps.
    """
    if len(text) > MOST:
        text = f"{text[: MOST - 1]}…"
    lines = text.split("\n")
    if not {"<", "&"} & set(text) and all(len(line) <= _LINE for line in lines):
        return text
    return f"<qt>{'<br>'.join(html.escape(line) for line in lines)}</qt>"
