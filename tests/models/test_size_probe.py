from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from napari_tessera.models.frame import Frame
from napari_tessera.models.size_probe import SizeProbe, coarsened, measure_sizes
from napari_tessera.models.sizes import ValidSizes


def _measured(
    network: Callable[[Tensor], object],
    size: tuple[int, ...] = (64, 64),
    declared: ValidSizes | None = None,
    are_strict: bool = False,
) -> ValidSizes:
    probe = SizeProbe(network, "net", 1, Frame.same(len(size)))
    return measure_sizes(probe, size, declared, are_strict)


def _picky(minimum: int, step: int) -> Callable[[Tensor], Tensor]:
    def network(x: Tensor) -> Tensor:
        for n in x.shape[2:]:
            if n < minimum or (n - minimum) % step:
                raise ValueError(f"{n} pixels")
        return x

    return network


@given(st.sampled_from([1, 2, 3, 4, 12, 16, 20, 48]), st.integers(0, 3), st.integers(0, 2))
def test_smallest_size_and_step(step: int, above: int, more: int) -> None:
    minimum = step * (1 + above)
    size = minimum + step * more
    assert _measured(_picky(minimum, step), (size, size)) == ValidSizes(
        (minimum,) * 2, (step,) * 2, (None, None)
    )


def test_a_step_that_nobody_would_guess_is_tried_where_it_is_declared() -> None:
    declared = ValidSizes((44, 44), (44, 44), (None, None))
    assert _measured(_picky(44, 44), (88, 88), declared) == declared


def test_axes_are_measured_by_themselves() -> None:
    def network(x: Tensor) -> Tensor:
        if x.shape[2] % 4 or x.shape[3] % 6 or x.shape[3] < 12:
            raise ValueError
        return x

    assert _measured(network, (24, 24)) == ValidSizes((4, 12), (4, 6), (None, None))


def test_one_size_and_no_other() -> None:
    def network(x: Tensor) -> Tensor:
        return x.view(1, 1, 40, 56)

    assert _measured(network, (40, 56)) == ValidSizes.fixed((40, 56))


def test_a_minimum_of_all_axes_together() -> None:
    norm = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.InstanceNorm2d(2)).eval()
    found = _measured(norm)
    assert found.step == (1, 1)
    assert found.minimum == (2, 2)


def test_what_is_declared_is_measured_unless_nothing_else_can_work() -> None:
    declared = ValidSizes((64, 64), (16, 16), (None, None))
    assert _measured(lambda x: x, (64, 64), declared) == ValidSizes.any(2)
    assert _measured(lambda x: x, (64, 64), declared, True) == declared


def test_answers_that_are_no_numbers_are_no_answers() -> None:
    def network(x: Tensor) -> Tensor:
        return x if x.shape[-1] % 8 == 0 else x * torch.nan

    assert _measured(network).step == (1, 8)


def test_networks_that_lose_pixels() -> None:
    probe = SizeProbe(nn.Conv2d(1, 1, 5), "net", 1, Frame(Frame.same(2).scale, (4, 4)))
    assert measure_sizes(probe, (32, 32), None, False) == ValidSizes((5, 5), (1, 1), (None, None))


def test_sizes_of_whole_periods() -> None:
    any_size = ValidSizes((1, 3), (1, 1), (None, None))
    assert coarsened(any_size, (8, 4)) == ValidSizes((8, 4), (8, 4), (None, None))
    odd = ValidSizes((140,), (16,), (None,))
    assert coarsened(odd, (16,)) == odd
    limited = ValidSizes((10,), (6,), (30,))
    assert coarsened(limited, (4,)) == ValidSizes((16,), (12,), (28,))
    assert coarsened(ValidSizes((10,), (6,), (12,)), (4,)) == ValidSizes((10,), (6,), (10,))
    fixed = ValidSizes.fixed((100,))
    assert coarsened(fixed, (8,)) == fixed


@pytest.mark.parametrize("k", [2, 3, 8])
def test_networks_that_resize_inside_take_any_size(k: int) -> None:
    def network(x: Tensor) -> Tensor:
        return x + F.interpolate(F.max_pool2d(x, k), size=x.shape[2:])

    assert _measured(network, (72, 72)) == ValidSizes((k, k), (1, 1), (None, None))
