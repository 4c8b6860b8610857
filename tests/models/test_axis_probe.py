from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from napari_tessera.models.axis_probe import AxisProbe, widest_gap
from napari_tessera.models.errors import ModelError
from napari_tessera.models.sizes import ValidSizes


def _axis(axis: int = 0) -> AxisProbe:
    return AxisProbe(lambda x: x, "net", 2, axis, (16, 24, 32), 64, 256)


def test_only_the_axis_of_interest_is_long() -> None:
    assert _axis(0).shape(100) == (1, 2, 100, 24, 32)
    assert _axis(2).shape(100) == (1, 2, 16, 24, 100)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pixels_and_sections_are_seen_where_they_are(axis: int) -> None:
    probe = _axis(axis)
    for index, changed in ((probe.pixel(7), 2), (probe.section(7), 2 * 16 * 24 * 32 // 16)):
        mask = torch.zeros(probe.shape(40), dtype=torch.bool)
        mask[index] = True
        assert probe.positions(mask).tolist() == [7]
        assert int(mask.sum()) >= min(changed, 2)
    assert probe.between(torch.zeros(probe.shape(40)), 5, 9).shape[axis + 2] == 4


def test_lengths_double_at_least_and_are_taken() -> None:
    assert _axis().lengths() == [64, 128, 256]
    assert _axis().lengths(96) == [96, 192]
    sizes = ValidSizes((1, 1, 20), (1, 1, 30), (None, None, 140))
    probe = replace(_axis(2), sizes=sizes, shortest=50)
    assert probe.lengths() == [50, 110]
    fixed = replace(probe, sizes=ValidSizes.fixed((8, 8, 80)), shortest=80)
    assert fixed.lengths() == [80]
    # longer than all that is taken
    assert fixed.lengths(100) == [80]


@given(st.integers(1, 20), st.integers(1, 200), st.integers(1, 40))
def test_an_input_to_be_shifted_is_an_odd_multiple_where_it_can_be(
    step: int, least: int, grid: int
) -> None:
    sizes = ValidSizes((1, 1, grid), (1, 1, grid), (None, None, None))
    length = replace(_axis(2), sizes=sizes).length_for(step, least)
    assert length is not None
    assert length >= least
    assert length % grid == 0
    if step % grid == 0:
        assert length % (2 * step) == step


def test_nothing_longer_than_all_that_is_taken() -> None:
    probe = replace(_axis(2), sizes=ValidSizes.fixed((8, 8, 80)))
    assert probe.length_for(4, 81) is None
    assert probe.length_for(4, 80) == 80


@given(st.integers(1, 64), st.sets(st.integers(0, 200), min_size=1))
def test_widest_gap(period: int, offsets: set[int]) -> None:
    on_circle = {offset % period for offset in offsets}
    runs = [
        next(d for d in range(1, period + 1) if (at + d) % period in on_circle) for at in on_circle
    ]
    assert widest_gap(sorted(offsets), period) == max(runs)


def test_what_the_network_raises_is_told_in_one_line() -> None:
    def broken(x: Tensor) -> Tensor:
        raise ValueError("first line\nsecond line")

    probe = AxisProbe(broken, "net", 1, 0, (8, 8), 8, 8)
    with pytest.raises(ModelError, match=r"^net cannot be used: it fails on .*\(first line\)") as e:
        probe.run(probe.random(8))
    assert "\n" not in str(e.value)
