from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_tessera.models.bioimageio.fields import DescriptionError, Field

WHOLE = Field(
    "",
    {
        "text": " hello ",
        "number": 1.5,
        "whole": 3,
        "list": [1, {"deep": "x"}],
        "truth": True,
        "infinite": float("inf"),
        "huge": 10**400,
        "none": None,
    },
)


def test_values() -> None:
    assert WHOLE["text"].text() == "hello"
    assert WHOLE["number"].text() == "1.5"
    assert WHOLE["number"].number() == 1.5
    assert WHOLE["whole"].whole(1) == 3
    assert WHOLE["whole"].numbers() == (3.0,)
    assert WHOLE["truth"].truth() is True
    assert WHOLE["absent"].truth() is False
    assert WHOLE["absent"].items() == []
    assert WHOLE["absent"]["below"]["that"].value is None
    assert WHOLE["text"].choice(["hello", "bye"]) == "hello"
    assert WHOLE["list"].items()[1]["deep"].path == "list[1].deep"
    assert [name for name, _ in WHOLE.entries()] == list(WHOLE.value)[:-1]


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda: WHOLE.needed("none"), "it has no none$"),
        (lambda: WHOLE["list"].items()[1].needed("y"), r"it has no list\[1\]\.y$"),
        (lambda: WHOLE["truth"].text(), "its truth is True, not text"),
        (lambda: WHOLE["truth"].number(), "its truth is True, not a number"),
        (lambda: WHOLE["text"].number(), "its text is ' hello ', not a number"),
        (lambda: WHOLE["infinite"].number(), "its infinite is inf, not a finite number"),
        (lambda: WHOLE["huge"].number(), "1000.*…, not a finite number"),
        (lambda: WHOLE["number"].whole(0), "1.5, not a whole number from 0 on"),
        (lambda: WHOLE["whole"].whole(4, 9), "3, not a whole number within 4…9"),
        (lambda: WHOLE["number"].number_in(2, 3), "1.5, not within 2…3"),
        (lambda: WHOLE["number"].items(), "1.5, not a list"),
        (lambda: WHOLE["number"]["x"], "1.5, not a mapping"),
        (lambda: WHOLE["number"].truth(), "1.5, neither true nor false"),
        (lambda: WHOLE["text"].choice(["a", "b"]), "' hello ', none of a, b"),
        (lambda: Field("x", []).numbers(), r"its x is \[\], empty"),
        (lambda: Field("", 3).mapping(), "its the description is 3|the description is 3"),
    ],
)
def test_errors_name_field_and_value(read: Callable[[], object], says: str) -> None:
    with pytest.raises(DescriptionError, match=says) as raised:
        read()
    assert raised.value.way_out
