"""Where hidden pixels lie."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.training.blind_spot import draw_mask
from napari_tessera.training.blind_spot.places import draw_places, hidden_per_patch
from napari_tessera.training.errors import TrainingError

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda start: st.lists(st.integers(1, 20), min_size=2, max_size=3).map(
        lambda space: (*start, *space)
    )
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(SHAPES, st.floats(0.01, 100), st.integers(0, 1000))
def test_each_patch_and_channel_has_its_share(
    shape: tuple[int, ...], percent: float, seed: int
) -> None:
    mask = draw_mask(shape, percent, seeded(seed))
    assert mask.shape == shape
    assert mask.dtype == torch.bool
    assert (mask.flatten(2).sum(2) == hidden_per_patch(shape[2:], percent)).all()


@given(SHAPES, st.floats(0.01, 100), st.integers(0, 1000))
def test_no_pixel_is_drawn_twice(shape: tuple[int, ...], percent: float, seed: int) -> None:
    places = torch.stack(draw_places(shape, percent, seeded(seed)))
    assert places.unique(dim=1).shape == places.shape


def test_share_of_a_patch() -> None:
    assert hidden_per_patch((64, 64), 0.2) == 8
    assert hidden_per_patch((16, 64, 64), 0.2) == 131
    assert hidden_per_patch((8, 8), 0.2) == 1, "a patch without one would teach nothing"


def test_every_pixel_is_drawn_about_as_often_as_any_other() -> None:
    counts = draw_mask((4000, 1, 13, 10), 3, seeded()).sum((0, 1))
    expected = 4000 * 4 / 130
    # though of 13 pixels no three boxes of one size can be made
    assert (counts - expected).abs().max() < 5 * expected**0.5


def test_pixels_lie_evenly() -> None:
    mask = draw_mask((50, 2, 64, 64), 0.2, seeded())
    quarters = mask.reshape(50, 2, 2, 32, 2, 32).sum((3, 5))
    # 8 of 9 boxes hold one: never all in a half, as happens where each is drawn by itself
    assert (quarters.sum(-1) >= 1).all()
    assert (quarters.sum(-2) >= 1).all()


def test_channels_and_patches_have_their_own() -> None:
    mask = draw_mask((2, 2, 64, 64), 0.2, seeded())
    assert len(mask.flatten(0, 1).unique(dim=0)) == 4


def test_same_seed_same_pixels() -> None:
    assert torch.equal(draw_mask((2, 1, 9, 9), 5, seeded(3)), draw_mask((2, 1, 9, 9), 5, seeded(3)))
    assert not torch.equal(
        draw_mask((2, 1, 9, 9), 5, seeded(3)), draw_mask((2, 1, 9, 9), 5, seeded(4))
    )


@pytest.mark.parametrize("shape", [(4, 4), (1, 1, 1, 1, 1, 1), (1, 1, 0, 4)])
def test_what_is_no_batch_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TrainingError, match="is not NCYX or NCZYX, or empty"):
        draw_mask(shape, 1, seeded())


@pytest.mark.parametrize("percent", [0.0, -1.0, 101.0, float("nan")])
def test_a_share_that_is_none_is_refused(percent: float) -> None:
    with pytest.raises(TrainingError, match=r"outside 0…100") as refused:
        draw_mask((1, 1, 4, 4), percent, seeded())
    assert refused.value.field == "masked_percent"
