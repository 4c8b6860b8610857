"""Grey levels of the training part."""

from __future__ import annotations

import numpy as np
import pytest

from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.holding_out import hold_out
from napari_tessera.training.data.images import open_images
from napari_tessera.training.data.parts import boxes_of, parts_of
from napari_tessera.training.data.statistics import measure
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


def test_of_large_images_a_part_is_read_all_over() -> None:
    image = noise((200, 64, 64)) + np.arange(200, dtype=np.uint16)[:, None, None]
    stack = Recording(image, "ZYX")
    images = open_images(stack, None, settings())
    grid = CellGrid((64, 64), (8, 8))
    held = hold_out(images.layout, grid, 10)
    boxes = boxes_of(images, grid, whole=False)
    parts = tuple(parts_of(images, boxes, held.training))
    found = measure(images, Where(grid, held), parts, budget=20 * 64 * 64 * 2)
    planes = {coords[0] for _, coords, _ in stack.reads}
    assert len(planes) == 20
    assert planes.isdisjoint(held.samples)
    assert found.share == pytest.approx(20 / 180)
    trained = image[list(held.training)]
    assert found.statistics.means[0] == pytest.approx(trained.mean(), rel=0.05)
    assert found.statistics.stds[0] == pytest.approx(trained.std(), rel=0.1)


def test_a_target_has_its_own() -> None:
    image = noise((64, 64))
    data = prepared(
        image, "YX", target=image * 3.0, method="supervised", patch_size=(8, 8)
    ).statistics
    assert data.target_means == pytest.approx([3 * data.means[0]])
    assert data.target_stds == pytest.approx([3 * data.stds[0]])
    assert data.to_json()["target_means"] == list(data.target_means or ())


def test_chunks_decide_how_an_image_is_cut() -> None:
    class Chunked(ArrayStack):
        chunks = (10, 100, 700)

    images = open_images(Chunked(noise((20, 400, 700)), "ZYX"), None, settings())
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
