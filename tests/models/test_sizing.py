from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from napari_tessera.models.errors import ModelError
from napari_tessera.models.geometry import ModelGeometry
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.models.sizing import FullBatches, padded, reflected, run_on_any_size


@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 40))
def test_reflection_is_that_of_numpy(length: int, before: int, after: int) -> None:
    axis = np.arange(length)
    expected = np.pad(axis, (before, after), mode="reflect" if length > 1 else "edge")
    assert reflected(-before, length + after, length).tolist() == expected.tolist()


@given(st.tuples(*[st.integers(1, 12)] * 2), st.tuples(*[st.integers(0, 30)] * 4))
def test_tiles_are_padded_at_both_ends(size: tuple[int, int], ends: tuple[int, ...]) -> None:
    batch = torch.arange(2.0 * size[0] * size[1]).reshape(1, 2, *size)
    before, after = ends[:2], ends[2:]
    full = [b + n + a for b, n, a in zip(before, size, after, strict=True)]
    expected = batch.numpy()
    for axis in (2, 3):
        widths = [(0, 0)] * 4
        widths[axis] = (before[axis - 2], after[axis - 2])
        mode = "reflect" if size[axis - 2] > 1 else "edge"
        expected = np.pad(expected, widths, mode=mode)  # type: ignore[call-overload]
    assert torch.equal(padded(batch, before, full), torch.from_numpy(expected))


def test_what_needs_no_padding_is_not_copied() -> None:
    batch = torch.zeros(1, 1, 8, 8)
    assert padded(batch, (0, 0), (8, 8)) is batch


def _fussy(x: Tensor) -> Tensor:
    for n in x.shape[-2:]:
        if n < 96 or (n - 96) % 48:
            raise ValueError(f"{n} pixels")
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


@given(st.integers(1, 200), st.integers(1, 200))
def test_tiles_of_any_size_go_through_a_network_that_takes_few(y: int, x: int) -> None:
    sizes = ValidSizes((96, 96), (48, 48), (None, None))
    geometry = ModelGeometry((1, 1), (48, 48), 1, sizes=sizes)
    batch = torch.rand(1, 1, y, x)
    answer = run_on_any_size(_fussy, batch, "net", geometry)
    assert answer.shape == batch.shape
    if y > 2 and x > 2:
        inside = F.avg_pool2d(batch, 3, 1, 0)
        assert torch.allclose(answer[..., 1:-1, 1:-1], inside, atol=1e-6)


@given(st.integers(1, 70), st.sampled_from([(2, 2), (3, 0), (0, 5), (-2, 1), (-3, -3)]))
def test_pixels_stay_where_they_are(n: int, ends: tuple[int, int]) -> None:
    near, far = ends

    def cut(x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, -near, -far))

    geometry = ModelGeometry((0, 0), (1, 1), 1, offset=(near, 0), far_offset=(far, 0))
    batch = torch.rand(2, 1, n, 5)
    assert torch.equal(run_on_any_size(cut, batch, "net", geometry), batch)


def test_tiles_larger_than_all_that_is_taken_are_refused_in_one_line() -> None:
    geometry = ModelGeometry(
        (0, 0), (1, 1), 1, offset=(4, 0), far_offset=(2, 0), sizes=ValidSizes.fixed((64, 64))
    )
    assert geometry.largest_tile == (58, 64)
    with pytest.raises(ModelError) as raised:
        run_on_any_size(lambda x: x, torch.zeros(1, 1, 60, 8), "net", geometry)
    assert str(raised.value) == (
        "net cannot be used: it takes at most 58×64 pixels and the tile has 60×8. "
        "Choose tiles of 58×64"
    )


def test_another_scale_is_refused_in_one_line() -> None:
    geometry = ModelGeometry((0, 0), (1, 1), 1, output_scale=(2.0, 0.5))
    with pytest.raises(ModelError, match=r"its output has 2×0.5 times the pixels of its input"):
        run_on_any_size(lambda x: x, torch.zeros(1, 1, 8, 8), "net", geometry)


def test_a_network_that_changes_its_mind_is_refused() -> None:
    geometry = ModelGeometry((0, 0), (1, 1), 1)
    with pytest.raises(ModelError, match="it returns 7×8 pixels for 8×8"):
        run_on_any_size(lambda x: x[..., 1:, :], torch.zeros(1, 1, 8, 8), "net", geometry)


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 7])
def test_fixed_batches_are_filled_up(samples: int) -> None:
    seen = []

    def of_four(x: Tensor) -> Tensor:
        seen.append(len(x))
        return 2 * x

    batch = torch.rand(samples, 1, 4, 4)
    assert torch.equal(FullBatches(of_four, "net", 4)(batch), 2 * batch)
    assert seen == [4] * -(-samples // 4)
