"""Masks and the estimate of the foreground: where patches are drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data import marking
from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.foreground import Foreground, threshold
from napari_tessera.training.data.images import open_images
from napari_tessera.training.data.marking import MarkedCells
from napari_tessera.training.data.training_data import TrainingData

from .kinds import MEMORY, STREAMED, Recording, noise, numbered, prepared, settings

MEMORIES = pytest.mark.parametrize("memory", [MEMORY, STREAMED], ids=["in memory", "streamed"])


def spots(shape: tuple[int, int], radius: int = 12, level: int = 40) -> NDArray[np.uint16]:
    """Dim noise with two discs."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    discs = [
        np.hypot(y - fy * shape[0], x - fx * shape[1]) < radius
        for fy, fx in ((0.3, 0.25), (0.6, 0.7))
    ]
    return noise(shape) + np.uint16(level) * np.any(discs, axis=0).astype(np.uint16)


@settings_of_hypothesis(max_examples=30)
@given(st.integers(40, 80), st.integers(40, 80), st.floats(0.02, 0.5), st.integers(0, 99))
def test_no_patch_touches_a_cell_without_a_mark(
    height: int, width: int, share: float, seed: int
) -> None:
    grid = CellGrid((height, width), (8, 8))
    marked = np.random.default_rng(seed).random(grid.shape) < share
    marked[0, :2] = marked[-1, -1] = True
    mask = np.zeros((height, width), bool)
    mask[4 : 8 * grid.shape[0] : 8, 4 : 8 * grid.shape[1] : 8] = marked
    stack = Recording(noise((height, width)), "YX")
    data = TrainingData.prepare(
        stack, settings(patch_size=(8, 8), validation_percent=0), mask=mask, in_memory=STREAMED
    )
    stack.reads.clear()
    for step in range(6):
        data.training_batch(step, 16)
    data.close()
    per_cell = grid.sums(stack.counts()[0])
    assert not per_cell[~marked].any()
    assert per_cell[marked].any()


@pytest.mark.parametrize("axes", ["ZYX", "TZYX", "TZCYX"])
@pytest.mark.parametrize("mask_axes", ["YX", "ZYX", "TZYX", "TZCYX"])
@pytest.mark.parametrize("dims", [2, 3])
def test_masks_of_all_shapes(axes: str, mask_axes: str, dims: int) -> None:
    sizes = {"T": 2, "Z": 6, "C": 2, "Y": 32, "X": 40}
    own = "".join(letter for letter in mask_axes if letter in axes)
    shape, mask_shape = (tuple(sizes[a] for a in one) for one in (axes, own))
    mask = np.zeros(mask_shape, np.uint8)
    mask[..., 16:] = 3
    data = prepared(
        numbered(shape),
        axes,
        mask,
        spatial_dims=dims,
        patch_size=(2, 8, 8)[3 - dims :],
        validation_percent=0,
        augment=False,
    )
    (mean, *_), (std, *_) = data.statistics.means, data.statistics.stds
    values = np.rint(data.training_batch(0, 64).noisy[:, 0].numpy() * (std + 1e-6) + mean)
    assert (values.astype(int) % 40 >= 16).all()
    assert "60 % of the image is marked" in data.summary


def test_planes_without_a_mark_are_left_out() -> None:
    mask = np.zeros((10, 64, 64), bool)
    mask[:4] = True
    data = prepared(
        numbered((10, 64, 64)), "ZYX", ArrayStack(mask, "ZYX"), patch_size=(8, 8), augment=False
    )
    (mean,), (std,) = data.statistics.means, data.statistics.stds
    values = np.rint(data.training_batch(0, 64).noisy.numpy() * (std + 1e-6) + mean)
    assert (values < 4 * 64 * 64).all()


class InChunks(Recording):
    """A mask in chunks of 3 planes of 40 × 24 pixels."""

    chunks = (1, 3, 40, 24)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("most", [1, 4000, 2**24])
def test_a_mask_in_chunks_is_what_it_is_as_a_whole(
    dims: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.random.default_rng(0).random((2, 8, 70, 90)) < 0.4
    mask[1, 4, 20:40] = False
    layout = Layout("TZYX", mask.shape, "Z" if dims == 2 else "")
    grid = CellGrid(layout.view_shape[2:], (2, 8, 8)[3 - dims :])
    monkeypatch.setattr(marking, "_READ_PIXELS", most)
    stack = InChunks(mask, "TZYX")
    found = MarkedCells(stack, layout, grid)
    for sample in reversed(range(layout.view_shape[0])):
        own = mask.reshape(-1, 70, 90)[sample] if dims == 2 else mask[sample]
        np.testing.assert_array_equal(found.shares(sample), grid.means(own).astype(np.float32))
    assert (stack.counts() == 1).all()
    if dims == 2:
        deep = {(at[0], size[0]) for _, at, size in stack.reads}
        assert deep == {(0, 3), (3, 3), (6, 2)}, "planes that are decoded together are read once"


def test_what_is_marked_in_part_is_drawn_from_less() -> None:
    mask = np.ones((128, 128), bool)
    mask[:, :64] = False
    mask[4::8, 4:64:8] = True
    stack = Recording(noise((128, 128)), "YX")
    data = TrainingData.prepare(
        stack, settings(patch_size=(8, 8), validation_percent=0), mask=mask, in_memory=STREAMED
    )
    stack.reads.clear()
    for step in range(60):
        data.training_batch(step, 16)
    data.close()
    counts = stack.counts()[0]
    assert 0 < counts[:, :48].mean() < 0.3 * counts[:, 80:].mean()


@MEMORIES
def test_the_estimate_finds_what_is_there(memory: int) -> None:
    image = spots((192, 256))
    stack = Recording(image, "YX")
    data = TrainingData.prepare(
        stack, settings(patch_size=(16, 16)), mask="foreground", in_memory=STREAMED
    )
    stack.reads.clear()
    for step in range(10):
        data.training_batch(step, 16)
    data.close()
    counts = stack.counts()[0]
    assert counts[50:66, 56:72].mean() > 0, "the first disc"
    far = counts[144:, :96]
    assert not far.any(), "clear background"
    assert any("% of the image is foreground" in line for line in data.summary)


def test_where_all_is_alike_nothing_is_left_out() -> None:
    plain = prepared(noise((128, 128)), "YX", patch_size=(8, 8), validation_percent=0)
    data = prepared(noise((128, 128)), "YX", "foreground", patch_size=(8, 8), validation_percent=0)
    # cells of only four averages may fall below the threshold by chance
    assert data.patches > 0.8 * plain.patches
    assert threshold(np.zeros(10)) == -np.inf
    assert threshold(np.full(3, np.nan)) == -np.inf


def test_dim_structures_beside_bright_ones_are_foreground() -> None:
    levels = np.random.default_rng(0).normal(10, 1, 100_000)
    levels[:500], levels[500:1000] = 30, 3000
    assert 12 < threshold(levels) < 20


def test_of_large_images_some_planes_are_looked_at() -> None:
    image = np.stack([spots((64, 64), 8)] * 5 + [noise((64, 64))] * 5)
    images = open_images(ArrayStack(image, "ZYX"), None, settings())
    grid = CellGrid((64, 64), (8, 8))
    some = Foreground(images, grid, budget=3 * 64 * 64 * 2)
    assert some.looked_at == (0, 4, 9)
    assert [some.key(sample) for sample in (0, 2, 3, 6, 7, 9)] == [
        (0,),
        (0,),
        (1,),
        (1,),
        (2,),
        (2,),
    ]
    assert some.shares(3).max() > 0.5
    assert some.shares(9).max() < 0.2
    none = Foreground(images, grid, budget=10)
    assert none.looked_at == ()
    assert (none.shares(4) == 1).all()
    assert not none.excluded(4).any()
