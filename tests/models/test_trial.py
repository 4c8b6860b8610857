from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.errors import ModelError
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.trial import TRIAL_SIZES, try_network


def test_the_smallest_size_that_works_is_taken() -> None:
    def picky(x: Tensor) -> Tensor:
        if x.shape[-1] % 3:
            raise ValueError("three")
        return x

    trial = try_network(picky, "net", 2, 1)
    assert trial.given.shape == trial.answer.shape == (1, 1, 48, 96)


def test_a_size_that_is_kept_goes_before_one_that_is_not() -> None:
    def cropping(x: Tensor) -> Tensor:
        return x[..., : x.shape[-2] // 9 * 9, : x.shape[-1] // 9 * 9]

    assert try_network(cropping, "net", 2, 1).given.shape[2:] == (72, 144)


def test_the_sizes_of_the_file_are_tried_first_where_they_are_handy() -> None:
    sizes = ValidSizes((100, 100), (20, 20), (None, None))
    assert try_network(lambda x: x, "net", 2, 1, sizes=sizes).given.shape[2:] == (100, 100)
    huge = ValidSizes.fixed((2048, 2048))
    assert try_network(lambda x: x, "net", 2, 1, sizes=huge).given.shape[2:] == (32, 64)


def test_nothing_but_the_sizes_of_the_file_where_it_says_so() -> None:
    seen: list[tuple[int, ...]] = []

    def network(x: Tensor) -> Tensor:
        seen.append(tuple(x.shape[2:]))
        raise ValueError("never")

    sizes = ValidSizes((100, 100), (48, 48), (200, 200))
    with pytest.raises(ModelError, match="never"):
        try_network(network, "net", 2, 1, sizes=sizes, are_strict=True)
    assert seen
    assert all(sizes.fits(size) for size in seen)
    assert not set(seen) & set(TRIAL_SIZES[2])


@pytest.mark.parametrize("scale", [2, 3])
def test_larger_and_smaller_answers(scale: int) -> None:
    up = try_network(nn.Upsample(scale_factor=scale), "net", 2, 1)
    assert up.frame.scale == (Fraction(scale),) * 2
    down = try_network(nn.AvgPool3d(2), "net", 3, 1)
    assert down.frame.scale == (Fraction(1, 2),) * 3
    assert not any(down.frame.lost)


class _ValidUNet(nn.Module):
    """Two levels without padding: loses 18 pixels on multiples of 2, and more on other sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 5)
        self.bottom = nn.Conv2d(4, 4, 5)
        self.up = nn.Conv2d(8, 1, 5)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down(x)
        deep = F.interpolate(self.bottom(F.max_pool2d(first, 2)), scale_factor=2.0)
        cut = [(a - b) // 2 for a, b in zip(first.shape[2:], deep.shape[2:], strict=True)]
        first = first[..., cut[0] : cut[0] + deep.shape[2], cut[1] : cut[1] + deep.shape[3]]
        return self.up(torch.cat([first, deep], dim=1))


def test_a_network_without_padding_is_taken_where_it_loses_least() -> None:
    network = _ValidUNet()
    trial = try_network(network, "net", 2, 1)
    assert trial.frame.lost == (16, 16)
    shifted = nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), network)
    trial = try_network(shifted, "net", 2, 1)
    assert trial.frame.lost == (15, 15)
    assert all(n % 2 for n in trial.given.shape[2:])


def test_sizes_that_follow_no_rule() -> None:
    with pytest.raises(ModelError, match=r"it returns 7×7 pixels for 32×64\. Return as many"):
        try_network(lambda x: x[..., :7, :7], "net", 2, 1)


@pytest.mark.parametrize("side", [100_000, 2**40])
def test_an_input_that_no_memory_holds_is_not_made(side: int) -> None:
    def never(x: Tensor) -> Tensor:
        raise AssertionError

    with pytest.raises(ModelError, match=r"fails on inputs up to .* more than 536,870,912 numbers"):
        try_network(never, "net", 2, 1, sizes=ValidSizes.fixed((side, side)), are_strict=True)
