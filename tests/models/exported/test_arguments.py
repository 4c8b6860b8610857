from __future__ import annotations

import pytest

from napari_tessera.models.exported.arguments import label, number
from napari_tessera.models.exported.refusal import RefusedProgramError


def test_numbers_are_those_of_json() -> None:
    assert [number(value) for value in (2, 0.5, "-Infinity")] == [2.0, 0.5, "-Infinity"]


@pytest.mark.parametrize("value", [True, None, "1", [1], 10**400])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(RefusedProgramError, match="where a number should stand"):
        number(value)


def test_labels_tell_all_names_apart() -> None:
    names = ["0.weight", "1.weight", "", "\ud800", "\udfff", "?"]
    assert len({label(name) for name in names}) == len(names)
    assert all(label(name).isidentifier() for name in names)
