from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.calling import OtherSizeError
from napari_tessera.models.frame import Frame, InInputFrame, explain_sizes, find_near_loss

_SCALES = [Fraction(1), Fraction(2), Fraction(3), Fraction(8), Fraction(1, 2), Fraction(3, 2)]


@given(st.sampled_from(_SCALES), st.integers(-8, 40))
def test_the_rule_is_found_in_what_it_makes(scale: Fraction, lost: int) -> None:
    frame = Frame((scale,), (lost,))
    sizes = [n for n in range(41, 100) if frame.output_size((n,))][:3]
    pairs = [((n,), frame.output_size((n,))) for n in sizes]
    # sizes off the network's strides follow no rule
    assert explain_sizes([*pairs, ((70,), (7,))]) == frame  # type: ignore[list-item]


def test_sizes_without_a_rule() -> None:
    assert explain_sizes([((32,), (7,)), ((64,), (7,)), ((48,), (7,))]) is None
    # rounded down to whole fives
    assert explain_sizes([((32,), (30,)), ((64,), (60,))]) is None


def test_a_single_size_is_a_multiple_or_a_loss() -> None:
    assert explain_sizes([((64, 64), (128, 32))]) == Frame((Fraction(2), Fraction(1, 2)), (0, 0))
    assert explain_sizes([((64,), (62,))]) == Frame((Fraction(1),), (2,))


def test_sizes_that_cannot_come_out() -> None:
    frame = Frame((Fraction(1, 2),), (2,))
    assert frame.output_size((10,)) == (4,)
    assert frame.output_size((9,)) is None
    assert frame.output_size((2,)) is None


@pytest.mark.parametrize(
    ("network", "frame", "near"),
    [
        (nn.ConvTranspose2d(1, 1, 2, 2), Frame((Fraction(2),) * 2, (0, 0)), (0, 0)),
        (nn.AvgPool2d(2), Frame((Fraction(1, 2),) * 2, (0, 0)), (0, 0)),
        (nn.Conv2d(1, 1, (5, 3)), Frame((Fraction(1),) * 2, (4, 2)), (2, 1)),
        (nn.Conv2d(1, 1, 3, padding=2), Frame((Fraction(1),) * 2, (-2, -2)), (-1, -1)),
    ],
)
def test_what_depends_on_a_pixel_stands_where_it_stands(
    network: nn.Module, frame: Frame, near: tuple[int, int]
) -> None:
    nn.init.ones_(network.weight) if hasattr(network, "weight") else None
    aligned = InInputFrame(network, "net", frame, near)
    batch = torch.zeros(1, 1, 32, 40)
    batch[0, 0, 12, 20] = torch.nan
    with torch.no_grad():
        answer = aligned(batch)
    assert answer.shape == batch.shape
    seen = answer.isnan()[0, 0].nonzero().float()
    assert (seen.mean(dim=0) - torch.tensor([12.0, 20.0])).abs().max() < 1


def test_a_size_off_the_rule_is_refused() -> None:
    aligned = InInputFrame(lambda x: x[..., 1:, :], "net", Frame.same(2), (0, 0))
    with pytest.raises(OtherSizeError, match="it returns 31×40 pixels for 32×40"):
        aligned(torch.zeros(1, 1, 32, 40))


@pytest.mark.parametrize(
    ("function", "lost", "near"),
    [
        (lambda x: x[..., 3:, :], (3, 0), (3, 0)),
        (lambda x: x[..., :-4], (0, 4), (0, 0)),
        (lambda x: F.avg_pool2d(x, 5, 1), (4, 4), (2, 2)),
        (lambda x: F.avg_pool2d(x, 4, 1), (3, 3), (1, 1)),
        (lambda x: F.pad(x, (0, 0, 6, 0)), (-6, 0), (-6, 0)),
        # NaN tells nothing: half of it
        (lambda x: torch.nan_to_num(x)[..., 4:, :], (4, 0), (2, 0)),
        (lambda x: (x - x.mean())[..., 4:, :], (4, 0), (2, 0)),
    ],
)
def test_where_the_loss_is(
    function: Callable[[Tensor], Tensor], lost: tuple[int, int], near: tuple[int, int]
) -> None:
    frame = Frame((Fraction(1),) * 2, lost)
    assert find_near_loss(function, "net", frame, torch.randn(1, 1, 48, 64)) == near


def test_a_network_that_refuses_nan_loses_half_at_each_end() -> None:
    def strict(x: Tensor) -> Tensor:
        if not torch.isfinite(x).all():
            raise ValueError("not finite")
        return x[..., 4:, :]

    frame = Frame((Fraction(1),) * 2, (4, 0))
    assert find_near_loss(strict, "net", frame, torch.randn(1, 1, 48, 64)) == (2, 0)
