from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.writing.ome.plain_text import plain_text


@given(text=st.text(st.characters(exclude_categories=())))
def test_any_text_can_stand_in_xml(text: str) -> None:
    plain = plain_text(text)
    assert len(plain) == len(text)
    document = f"<a>{escape(plain)}</a>".encode()
    read = ElementTree.fromstring(document).text or ""
    # XML reads ends of lines as one character
    assert read.replace("\n", "") == plain.replace("\r", "").replace("\n", "")
    assert plain_text(plain) == plain


@pytest.mark.parametrize("text", ["DAPI", "GFP & <µm>", "a\tb\nc", "細胞", "\N{GRINNING FACE}"])
def test_what_can_be_held_is_kept(text: str) -> None:
    assert plain_text(text) == text
