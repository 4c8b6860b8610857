"""Grey levels of the training part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.foreground import Foreground
from napari_tessera.training.data.holding_out import hold_out
from napari_tessera.training.data.images import open_images
from napari_tessera.training.data.marking import MarkedCells
from napari_tessera.training.data.parts import boxes_of, parts_of
from napari_tessera.training.data.statistics import Measured, measure
from napari_tessera.training.data.where import Where

from .kinds import MEMORY, STREAMED, Recording, noise, prepared, settings


@pytest.mark.parametrize("memory", [MEMORY, STREAMED])
def test_of_the_training_part_alone(memory: int) -> None:
    image = noise((70, 90)).astype(np.float64)
    data = prepared(image, "YX", memory=memory, patch_size=(8, 8))
    (top, bottom), (left, right) = data.held_out["Y"], data.held_out["X"]
    image[top:bottom, left:right] = np.nan
    assert data.statistics.means == pytest.approx((np.nanmean(image),), rel=1e-12)
    assert data.statistics.stds == pytest.approx((np.nanstd(image),), rel=1e-12)
    assert data.statistics.to_json()["target_means"] is None
    data.close()


class Chunked(Recording):
    """A stack of chunks of 32 × 32 pixels."""

    chunks: tuple[int, ...] = (32, 32)


def measured(stack: ArrayStack, budget: int, mask: Any = None, patch: int = 8) -> Measured:
    """Grey levels of an image in planes, with a tenth held out, of so many bytes at most."""
    images = open_images(stack, None, settings())
    grid = CellGrid(images.space, (patch, patch))
    marked = None
    if isinstance(mask, str):
        marked = Foreground(images, grid)
        stack.__dict__["reads"].clear()
    elif mask is not None:
        marked = MarkedCells(mask, images.layout, grid)
    held = hold_out(images.layout, grid, 10, None if marked is None else marked.shares)
    boxes = boxes_of(images, grid, whole=False)
    parts = tuple(parts_of(images, boxes, held.training))
    return measure(images, Where(grid, held, marked), parts, budget)


def test_of_large_images_a_part_is_read_all_over() -> None:
    image = noise((200, 64, 64)) + np.arange(200, dtype=np.uint16)[:, None, None]
    stack = Recording(image, "ZYX")
    found = measured(stack, 20 * 64 * 64 * 2)
    planes = {coords[0] for _, coords, _ in stack.reads}
    held = range(90, 110)
    assert len(planes) == 20
    assert planes.isdisjoint(held)
    assert found.share == pytest.approx(20 / 180)
    trained = image[[at for at in range(200) if at not in held]]
    assert found.statistics.means[0] == pytest.approx(trained.mean(), rel=0.05)
    assert found.statistics.stds[0] == pytest.approx(trained.std(), rel=0.1)


@pytest.mark.parametrize("at", [(0, 0), (32, 160), (224, 224), (100, 30)])
def test_what_little_is_marked_is_measured_wherever_it_lies(at: tuple[int, int]) -> None:
    image = np.full((256, 256), np.nan, np.float32)
    marked = (slice(at[0], at[0] + 32), slice(at[1], at[1] + 32))
    mask = np.zeros((256, 256), np.bool_)
    mask[marked] = True
    # the cells that the mark reaches into
    reached = tuple(slice(start // 4 * 4, start + 36) for start in at)
    image[reached] = noise((256, 256))[reached]
    # room for less than a tenth of the image, and for all that is marked
    found = measured(Chunked(image, "YX"), 5 * 32 * 32 * 4, mask, patch=4)
    assert found.share == 1
    assert found.statistics.means[0] == pytest.approx(20, abs=4)
    # room for a part of what is marked
    found = measured(Chunked(image, "YX"), 300 * 4, mask, patch=4)
    assert 0 < found.share <= 1
    assert found.statistics.means[0] == pytest.approx(20, abs=5)


def test_a_small_foreground_is_measured() -> None:
    image = noise((256, 256))
    image[40:60, 200:230] += 50
    stack = Chunked(image, "YX")
    found = measured(stack, 8 * 32 * 32 * 2, "foreground")
    assert found.share == 1
    assert found.statistics.means[0] > 24, "of all around it is the mean is 20.5"
    assert stack.counts().mean() < 0.05


def test_the_share_is_of_what_may_be_trained_on() -> None:
    mask = np.zeros((256, 256), np.bool_)
    mask[:, :128] = True
    stack = Chunked(noise((256, 256)), "YX")
    found = measured(stack, 256 * 32 * 2, mask)
    counts = stack.counts()[0]
    (cells, *_), held = np.nonzero(counts[:, :128]), counts[:, 128:]
    assert counts.max() == 1
    assert not held.any()
    # about a tenth of what is marked is held out
    assert found.share == pytest.approx(len(cells) / (256 * 128 * 0.9), rel=0.1)
    assert 0.15 < found.share < 0.35


def test_chunks_that_hold_little_are_not_all_decoded() -> None:
    mask = np.zeros((512, 512), np.bool_)
    mask[::32, ::32] = True
    stack = Chunked(noise((512, 512)), "YX")
    found = measured(stack, 8 * 32 * 32 * 2, mask, patch=4)
    chunks = {(at[0] // 32, at[1] // 32) for _, at, _ in stack.reads}
    assert len(chunks) <= 64, "decoded are eight times the budget, of 256 chunks"
    assert len({row for row, _ in chunks}) > 8, "all over the image"
    assert len({column for _, column in chunks}) > 8
    assert found.share == pytest.approx(len(chunks) / 230, rel=0.1)


def test_a_target_has_its_own() -> None:
    image = noise((64, 64))
    data = prepared(
        image, "YX", target=image * 3.0, method="supervised", patch_size=(8, 8)
    ).statistics
    assert data.target_means == pytest.approx([3 * data.means[0]])
    assert data.target_stds == pytest.approx([3 * data.stds[0]])
    assert data.to_json()["target_means"] == list(data.target_means or ())


def test_chunks_decide_how_an_image_is_cut() -> None:
    stack = Chunked(noise((20, 400, 700)), "ZYX")
    stack.chunks = (10, 100, 700)
    images = open_images(stack, None, settings())
    grid = CellGrid((400, 700), (16, 16))
    boxes = boxes_of(images, grid, whole=False)
    assert boxes_of(images, grid, whole=True) == (((0, 25), (0, 43)),)
    # along Y chunks of 100 pixels, rounded to 6 cells; the last box takes the rest
    assert boxes == tuple(
        ((at, stop), (0, 43)) for at, stop in ((0, 6), (6, 12), (12, 18), (18, 25))
    )
    groups = [
        part.samples for part in parts_of(images, boxes, range(3, 20)) if part.cells == boxes[0]
    ]
    assert groups == [tuple(range(3, 10)), tuple(range(10, 20))]
