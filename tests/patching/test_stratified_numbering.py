"""Numbers of patches over samples that differ."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.patching.stratified.grid import RegionGrid
from napari_tessera.patching.stratified.numbering import SampleNumbering
from napari_tessera.patching.stratified.sample import StratifiedSample

# Every region weighs 1.
PLAIN = StratifiedSample(RegionGrid((2, 3), (1, 1)))


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n), st.dictionaries(st.integers(0, n - 1), st.integers(0, PLAIN.grid.size))
        )
    )
)
def test_patches_are_numbered_sample_by_sample(case: tuple[int, dict[int, int]]) -> None:
    n_samples, n_excluded = case
    changed = {
        number: PLAIN.excluding(np.arange(n)) if n else PLAIN for number, n in n_excluded.items()
    }
    numbering = SampleNumbering(n_samples, PLAIN, changed)
    expected = [
        (number, within)
        for number in range(n_samples)
        for within in range(PLAIN.grid.size - n_excluded.get(number, 0))
    ]
    assert numbering.n_patches == len(expected)
    for index, (number, within) in enumerate(expected):
        sample = changed.get(number, PLAIN)
        assert numbering.locate(index) == (number, sample, within)
