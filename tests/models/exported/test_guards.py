from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.exported.guards import UnknownGuardError, holds, read_guard

SIZE = "L['x'].size()[2]"


def _holds(text: str, *shape: int) -> bool:
    return bool(holds(read_guard(text), shape))


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (f"{SIZE} == (4*({SIZE} // 4))", {4, 8, 12, 16}),
        (f"({SIZE} % 5) == 0 and {SIZE} > 5", {10, 15}),
        (f"{SIZE} <= 3 or not {SIZE} < 16", {1, 2, 3, 16}),
        (f"2 <= {SIZE} < 5", {2, 3, 4}),
        (f"max(1, {SIZE} // 2) != 1 and min(9, {SIZE}) == 9", set(range(9, 17))),
        (
            f"torch.sym_max(1, {SIZE} // 2) != 1 and torch.sym_min(9, {SIZE}) == 9",
            set(range(9, 17)),
        ),
        (f"((-1)*{SIZE}) >= -3", {1, 2, 3}),
        ("L['flat_args'][0].size()[2] == 7", {7}),
        (f"{SIZE} + 1 == {SIZE} - 1 + 2", set(range(1, 17))),
    ],
)
def test_conditions(text: str, sizes: set[int]) -> None:
    assert {size for size in range(1, 17) if _holds(text, 1, 1, size, 64)} == sizes
    # many sizes at once
    many = np.arange(1, 17)
    assert set(many[holds(read_guard(text), [1, 1, many, 64])]) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "L['x'].stride()[2] == 1",
        "L['x'].size()[9] == 1",
        "L['x'].size(2) == 1",
        "L[__import__('os')].size()[2] == 1",
        "G['x'].size()[2] == 1",
        f"{SIZE} ** 2 == 4",
        f"{SIZE} == 99999999999",
        f"-({SIZE} == 2)",
        f"max({SIZE}) == 2.5",
        f"{SIZE} is 2",
        f"os.sym_max(1, {SIZE}) == 2",
        f"torch.sym_sum(1, {SIZE}) == 2",
        f"torch.sym_max(1, {SIZE}, key=1) == 2",
        "'text'",
        "x",
        "1 +",
        "(" * 5000,
        " " * 5000,
    ],
)
def test_conditions_that_are_not_understood(text: str) -> None:
    with pytest.raises(UnknownGuardError):
        _holds(text, 1, 1, 16, 16)


@given(st.text("L['x'].size()[0123]+-*/%<>=! andornotmaxmin,", max_size=80))
def test_any_text_holds_or_not_or_is_not_understood(text: str) -> None:
    try:
        _holds(text, 1, 1, 16, 16)
    except UnknownGuardError:
        return


def test_division_by_zero_is_no_error() -> None:
    assert _holds(f"({SIZE} // 0) == 0", 1, 1, 16, 16) in (True, False)
