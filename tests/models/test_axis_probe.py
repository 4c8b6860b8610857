from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from napari_tessera.models.axis_probe import AxisProbe, lengths, widest_gap
from napari_tessera.models.errors import ModelError


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


def test_lengths_double() -> None:
    assert lengths(64, 256) == [64, 128, 256]
    assert lengths(96, 256) == [96, 192]


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
