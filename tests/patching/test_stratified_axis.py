"""Starts along one axis and their masses."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching.stratified.axis import StratifiedAxis, scaled

from .stratified_model import middles, region_weights, start_masses

axes = st.integers(1, 9).flatmap(
    lambda p: st.builds(StratifiedAxis, st.integers(p, 5 * p + 3), st.just(p))
)


@given(axes)
def test_regions_hold_every_start_with_its_mass(axis: StratifiedAxis) -> None:
    masses = start_masses(axis.size, axis.patch)
    assert sum(masses) == Fraction(axis.size, axis.patch)
    found: Counter[int] = Counter()
    for g in range(axis.n):
        weight = Fraction(axis.mass(g), axis.denominator)
        assert weight == region_weights((axis.size,), (axis.patch,))[g]
        parts = axis.mass(g) * axis.n_starts(g)
        for uniform in middles(parts):
            offset = axis.offset(g, uniform)
            assert 0 <= offset < axis.n_starts(g)
            found[g * axis.patch + offset] += weight / parts
    assert tuple(found[start] for start in range(len(masses))) == masses


@given(axes)
def test_pixels_a_patch_away_from_both_ends_are_selected_once(axis: StratifiedAxis) -> None:
    masses = start_masses(axis.size, axis.patch)
    covered = [
        sum(masses[max(0, x - axis.patch + 1) : x + 1], start=Fraction(0)) for x in range(axis.size)
    ]
    inside = range(axis.patch, axis.size - axis.patch)
    assert bool(inside) == axis.has_interior
    assert all(covered[x] == 1 for x in inside)
    for g in range(axis.n):
        start = g * axis.patch + axis.end_offset(g)
        meets = range(start, start + axis.patch)
        own = range(g * axis.patch, (g + 1) * axis.patch)
        assert all(x in own or x not in inside for x in meets)
        if axis.has_interior and axis.is_end(g):
            assert start in (0, axis.size - axis.patch)


@given(axes)
def test_parts_are_all_regions_in_order(axis: StratifiedAxis) -> None:
    parts = list(axis.parts())
    assert [g for part in parts for g in part] == list(range(axis.n))
    assert all(axis.mass(g) == axis.mass(part[0]) for part in parts for g in part)


@given(st.integers(1, 10**400), st.floats(0, 1, exclude_max=True))
def test_a_number_of_any_size_is_scaled_to(n: int, uniform: float) -> None:
    assert 0 <= scaled(uniform, n) < n
    assert scaled(float(np.nextafter(1, 0)), min(n, 2**53)) == min(n, 2**53) - 1
