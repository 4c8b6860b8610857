from __future__ import annotations

import pickle

import pytest

from napari_tessera.models.errors import ModelError, message_line, plain_line, shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("\x1b]0;title\x07 name", "]0;title name"),
        ("two\nlines\r", "two lines"),
        ("abcdef", "abcd…"),
    ],
)
def test_a_plain_line(text: str, line: str) -> None:
    assert plain_line(text, 5 if text == "abcdef" else 40) == line


def test_messages_hold_no_escapes() -> None:
    for error in (
        ModelError.not_loadable("a\x1b[2J.pt", "it has \x1b]0;x\x07", "Save it again"),
        ModelError.not_usable("a\x1b[2J.pt", "it has \x1b]0;x\x07", "Save it again"),
    ):
        assert str(error).isprintable()
        assert str(error).endswith("it has ]0;x. Save it again")
    assert message_line(ValueError("bad \x1b[31mname")).isprintable()


def test_reason_and_way_out_are_known_apart() -> None:
    error = ModelError.not_loadable("a.pt", "it is\nodd. Very", "Save it again")
    assert (error.why, error.way_out) == ("it is odd. Very", "Save it again")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.why, copied.way_out) == (str(error), error.why, error.way_out)
    assert (ModelError("plain").why, ModelError("plain").way_out) == ("", "")


def test_words_that_are_shown_are_quoted_where_they_need_it() -> None:
    assert shown("relu") == "relu"
    assert shown("re\nlu") == "'re\\nlu'"
    assert shown("x" * 70) == "x" * 60
