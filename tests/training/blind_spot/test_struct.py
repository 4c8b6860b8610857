"""Masks that are extended along an axis."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.training.blind_spot import draw_mask, struct_mask
from napari_tessera.training.errors import TrainingError


@given(
    st.lists(st.integers(1, 9), min_size=4, max_size=5),
    st.sampled_from("xy"),
    st.integers(0, 6).map(lambda half: 2 * half + 1),
    st.integers(0, 99),
)
def test_all_within_half_a_span_is_hidden_and_nothing_else(
    shape: list[int], axis: str, span: int, seed: int
) -> None:
    mask = draw_mask(shape, 10, torch.Generator().manual_seed(seed))
    hidden = struct_mask(mask, axis, span)
    along = {"x": mask.ndim - 1, "y": mask.ndim - 2}[axis]
    expected = torch.zeros_like(mask)
    for place in mask.nonzero().tolist():
        for shift in range(-(span // 2), span // 2 + 1):
            beside = list(place)
            beside[along] += shift
            if 0 <= beside[along] < shape[along]:
                expected[tuple(beside)] = True
    assert torch.equal(hidden, expected)


def test_the_mask_itself_stays() -> None:
    mask = draw_mask((1, 1, 9, 9), 5, torch.Generator().manual_seed(0))
    before = mask.clone()
    struct_mask(mask, "x", 5)
    assert torch.equal(mask, before)


@pytest.mark.parametrize(
    ("axis", "span", "field"),
    [("z", 5, "struct_axis"), ("x", 4, "struct_span"), ("x", -1, "struct_span")],
)
def test_what_cannot_be_is_refused(axis: str, span: int, field: str) -> None:
    with pytest.raises(TrainingError) as refused:
        struct_mask(torch.zeros(1, 1, 4, 4, dtype=torch.bool), axis, span)
    assert refused.value.field == field
