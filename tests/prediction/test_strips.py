"""Pixels of a cut tile against those of the whole tile."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.patching import TiledAxis
from napari_tessera.prediction.seams import estimate_seam
from napari_tessera.prediction.strips import Strips


class Choosy(nn.Module):
    """Takes multiples of 4 from 40 px on; loses 2 px at each end, if it is to."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 5, padding=2 - lost)
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if any(n < 40 or n % 4 for n in x.shape[2:]):
            raise RuntimeError(f"size {tuple(x.shape[2:])}")
        return self.last(torch.tanh(self.first(x)))


@pytest.mark.parametrize("blending", ["crop", "linear"])
@pytest.mark.parametrize("lost", [0, 2])
@pytest.mark.parametrize("patch", [56, 64])
def test_seams_are_those_of_whole_tiles(
    monkeypatch: pytest.MonkeyPatch, lost: int, patch: int, blending: str
) -> None:
    image = np.random.default_rng(0).normal(100, 10, (150, 143)).astype(np.float32)
    stack, model = open_stack(image, "YX"), load_model(Choosy(lost))
    reach = model.geometry.reach
    assert reach == (3, 3)
    plan = plan_prediction(stack, model, patch_size=patch, overlaps=4, blending=blending)
    sizes: list[int] = []
    cut = Strips.cut

    def counted(self: Strips, *where: int) -> tuple[int, int]:
        start, size = cut(self, *where)
        sizes.append(size)
        return start, size

    monkeypatch.setattr(Strips, "cut", counted)
    seam = estimate_seam(plan, stack, model, reach)
    assert len(sizes) == 3
    assert max(sizes) < patch
    monkeypatch.setattr(Strips, "cut", lambda self, start, stop, *_: (start, stop - start))
    assert 0 < seam == pytest.approx(estimate_seam(plan, stack, model, reach), rel=1e-4)


@given(
    st.integers(1, 8),
    st.integers(0, 30),
    st.integers(1, 60),
    st.integers(1, 5),
    st.data(),
)
def test_a_cut_sees_what_the_network_looks_at(
    k: int, far: int, minimum: int, step: int, data: st.DataObject
) -> None:
    patch = k * data.draw(st.integers(1, 20))
    along = TiledAxis(data.draw(st.integers(patch, 10 * patch)), patch, 0, k)
    tile = data.draw(st.integers(0, along.n - 1))
    start, *_ = along.tile(tile)
    stop = start + patch
    begin = data.draw(st.integers(start, stop - 1))
    end = data.draw(st.integers(begin + 1, stop))
    sizes = ValidSizes((minimum,), (step,), (None,))
    strips = Strips(along, ModelGeometry((far,), (k,), 1, sizes=sizes), 0)
    low, size = strips.cut(start, stop, begin, end)
    assert start <= low <= max(start, begin - far)
    assert min(stop, end + far) <= low + size <= stop
    assert low % k == size % k == 0
    if low + size == stop:
        (cut,), (whole,) = sizes.rounded_up((size,)), sizes.rounded_up((patch,))
        assert cut - size == whole - patch
    else:
        assert size < (end - begin) + 2 * (far + k)


def test_one_size_is_not_cut_where_its_end_is_looked_at() -> None:
    along = TiledAxis(1000, 64, 0)
    strips = Strips(along, ModelGeometry((5,), (1,), 1, sizes=ValidSizes.fixed((64,))), 0)
    assert strips.cut(64, 128, 120, 128) == (64, 64)
    assert strips.cut(64, 128, 64, 70) == (64, 11)
