"""Arithmetic on reads to come, against lists of them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.stacks.reading.expected import ExpectedReads, Parts, ReadOrder, Span


@st.composite
def grids(draw: st.DrawFn) -> tuple[dict[str, list[Span]], dict[str, Span]]:
    """Parts along three axes, and a block of pixels."""
    parts, block = {}, {}
    for letter in draw(st.permutations("TYX")):
        size = draw(st.integers(1, 12))
        patch = draw(st.integers(1, size))
        starts = range(0, size - patch + 1, draw(st.integers(1, patch)))
        parts[letter] = [(start, start + patch) for start in starts]
        start = draw(st.integers(0, size - 1))
        block[letter] = start, draw(st.integers(start + 1, size))
    return parts, block


@given(grids(), st.data())
def test_counts_and_finds_reads_of_a_block(
    drawn: tuple[dict[str, list[Span]], dict[str, Span]], data: st.DataObject
) -> None:
    parts, block = drawn
    expected = ExpectedReads({letter: Parts.of(own) for letter, own in parts.items()})
    order = ReadOrder(expected, "XCTY")
    reads = [dict(zip(parts, read, strict=True)) for read in product(*parts.values())]

    def spans(of: dict[str, Span]) -> list[Span]:
        return [of["X"], (0, 3), of["T"], of["Y"]]

    assert [order.number(spans(read)) for read in reads] == list(range(len(reads)))
    meeting = [
        number
        for number, read in enumerate(reads)
        if all(read[a][0] < block[a][1] and block[a][0] < read[a][1] for a in parts)
    ]
    assert order.count(spans(block)) == len(meeting)
    after = data.draw(st.integers(-1, len(reads)))
    later = [number for number in meeting if number > after]
    assert order.next(spans(block), after) == (later[0] if later else None)


def test_a_read_that_is_none_of_them_has_no_number() -> None:
    order = ReadOrder(ExpectedReads({"X": Parts.of([(0, 4), (3, 7)])}), "YX")
    assert order.number([(0, 9), (3, 7)]) == 1
    assert order.number([(0, 9), (3, 8)]) is None
    assert order.number([(0, 9), (2, 6)]) is None


@pytest.mark.parametrize("spans", [[(3, 5), (0, 2)], [(0, 9), (2, 5)], [(1, 2), (1, 3)]])
def test_parts_ascend(spans: list[Span]) -> None:
    with pytest.raises(ValueError, match="does not come after"):
        Parts.of(spans)
