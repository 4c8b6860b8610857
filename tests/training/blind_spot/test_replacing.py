"""What hidden pixels are replaced by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from napari_tessera.training.blind_spot import draw_mask, replace_median, replace_uniform
from napari_tessera.training.errors import TrainingError

SHAPES = st.lists(st.integers(1, 9), min_size=4, max_size=5).map(
    lambda shape: (shape[0] % 3 + 1, shape[1] % 3 + 1, *shape[2:])
)
WINDOWS = st.integers(1, 4).map(lambda half: 2 * half + 1)


def numbered(shape: tuple[int, ...]) -> Tensor:
    """A batch in which each pixel's value says which one it is."""
    return torch.arange(float(np.prod(shape))).reshape(shape)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def neighbours(mask: Tensor, place: list[int], window: int) -> Tensor:
    """Numbers of what may stand in for a pixel: in the window, and not hidden."""
    around = (
        place[0],
        place[1],
        *(slice(max(0, at - window // 2), at + window // 2 + 1) for at in place[2:]),
    )
    return numbered(tuple(mask.shape))[around][~mask[around]]


@given(SHAPES, st.floats(1, 60), WINDOWS, st.integers(0, 99))
def test_a_replacement_is_another_pixel_of_the_window(
    shape: tuple[int, ...], percent: float, window: int, seed: int
) -> None:
    batch, mask = numbered(shape), draw_mask(shape, percent, seeded(seed))
    seen = replace_uniform(batch, mask, window, seeded(seed))
    assert torch.equal(seen[~mask], batch[~mask])
    for place in mask.nonzero().tolist():
        value, allowed = seen[tuple(place)], neighbours(mask, place, window)
        if len(allowed):
            assert value in allowed
        else:
            patch = batch[place[0], place[1]][~mask[place[0], place[1]]]
            assert value == pytest.approx(float(patch.mean()) if len(patch) else 0.0)


@given(SHAPES, st.floats(1, 60), WINDOWS, st.integers(0, 99))
def test_a_median_is_that_of_the_window_without_hidden_pixels(
    shape: tuple[int, ...], percent: float, window: int, seed: int
) -> None:
    batch = torch.rand(shape, generator=seeded(seed + 1))
    mask = draw_mask(shape, percent, seeded(seed))
    seen = replace_median(batch, mask, window)
    assert torch.equal(seen[~mask], batch[~mask])
    for place in mask.nonzero().tolist():
        around = neighbours(mask, place, window).long()
        if len(around):
            assert seen[tuple(place)] == batch.flatten()[around].median()


def test_every_neighbour_comes_about_as_often_as_any_other() -> None:
    mask = torch.zeros(4000, 1, 7, 7, dtype=torch.bool)
    mask[:, :, 1, 3] = True
    batch = torch.arange(49.0).reshape(7, 7).expand(4000, 1, 7, 7)
    drawn = replace_uniform(batch, mask, 5, seeded())[mask].long()
    counts = drawn.bincount(minlength=49).reshape(7, 7)
    # rows 0…3 and columns 1…5 are in the window, cut off at the upper border
    inside = counts[0:4, 1:6]
    assert counts.sum() == inside.sum() == 4000
    assert counts[1, 3] == 0
    others = inside[inside > 0].float()
    assert len(others) == 19
    assert ((others - 4000 / 19).abs() < 5 * (4000 / 19) ** 0.5).all()


def test_the_batch_itself_stays() -> None:
    batch, mask = numbered((1, 1, 9, 9)), draw_mask((1, 1, 9, 9), 10, seeded())
    before = batch.clone()
    replace_uniform(batch, mask, 3, seeded())
    replace_median(batch, mask, 3)
    assert torch.equal(batch, before)


def test_what_else_is_hidden_replaces_nothing() -> None:
    batch = numbered((1, 1, 1, 5))
    mask = torch.tensor([[[[False, False, True, False, False]]]])
    blind = torch.tensor([[[[True, True, True, True, False]]]])
    assert replace_uniform(batch, mask, 5, seeded(), blind)[mask] == 4
    assert replace_median(batch, mask, 5, blind)[mask] == 4


def test_errors_name_the_value() -> None:
    batch, mask = numbered((1, 1, 4, 4)), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    for window in (2, 1, -3):
        with pytest.raises(TrainingError, match=f"mask window {window}"):
            replace_median(batch, mask, window)
    with pytest.raises(TrainingError, match=r"\(1, 1, 4, 5\)"):
        replace_uniform(torch.zeros(1, 1, 4, 5), mask, 3, seeded())
