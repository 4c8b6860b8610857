"""The held-out part: chosen well, and never trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_tessera.layout import Layout
from napari_tessera.training.data.cells import CellGrid
from napari_tessera.training.data.holding_out import HeldOut, hold_out, share_held
from napari_tessera.training.data.images import open_images
from napari_tessera.training.data.preparing import prepare
from napari_tessera.training.data.reading import read_all
from napari_tessera.training.data.statistics import measure
from napari_tessera.training.data.training_data import TrainingData
from napari_tessera.training.data.validating import validation_places
from napari_tessera.training.errors import TrainingError

from .kinds import MEMORY, STREAMED, Recording, images, noise, numbered, prepared, settings

pytestmark = pytest.mark.slow

MEMORIES = pytest.mark.parametrize("memory", [MEMORY, STREAMED], ids=["in memory", "streamed"])


def inside(axes: str, shape: tuple[int, ...], held: dict[str, list[int]]) -> NDArray[np.bool_]:
    """Pixels of an image that are held out."""
    mask = np.ones(shape, np.bool_)
    for letter, (start, stop) in held.items():
        along = np.arange(shape[axes.index(letter)])
        one = (along >= start) & (along < stop)
        mask &= one.reshape([-1 if a == letter else 1 for a in axes])
    return mask


@MEMORIES
@settings_of_hypothesis(max_examples=25)
@given(images(), st.data())
def test_nothing_of_the_held_out_part_reaches_training(
    memory: int, case: tuple[str, tuple[int, ...], dict[str, Any]], more: st.DataObject
) -> None:
    axes, shape, given_settings = case
    image = numbered(shape)
    mask = None
    if more.draw(st.booleans(), label="masked"):
        mask = np.random.default_rng(0).random(shape) < 0.8
    try:
        data = prepared(image, axes, mask, memory, **given_settings)
    except TrainingError as refused:
        # a mask may leave too little
        if mask is None or refused.field != "mask":
            raise
        return
    held = inside(axes, shape, data.held_out)
    assert data.held_out
    other = prepared(
        np.where(held, -1e6 * (1 + image), image), axes, mask, memory, **given_settings
    )
    assert data.statistics == other.statistics
    assert data.patches == other.patches > 0
    assert data.fingerprint != other.fingerprint
    for step in [*range(min(6, -(-2 * data.patches // 8))), 10_000]:
        batch = data.training_batch(step, 8)
        assert torch.equal(batch.noisy, other.training_batch(step, 8).noisy)
        assert batch.number == step
    held_values = image[held]
    (mean, *_), (std, *_) = data.statistics.means, data.statistics.stds
    for validation in data.validation_batches(8):
        if "C" in axes:
            continue
        values = validation.noisy.numpy().astype(np.float64) * (std + 1e-6) + mean
        assert np.isin(np.rint(values), held_values).all(), "validated on something else"
    data.close()
    other.close()


def held_as_read(axes: str, shape: tuple[int, ...], held: dict[str, list[int]]) -> Any:
    """Pixels that are held out, in the order in which a stack counts what is read: S(Z)YX."""
    mask = inside(axes, shape, held)
    of_samples = np.moveaxis(mask, axes.index("C"), 0)[0] if "C" in axes else mask
    letters = [letter for letter in axes if letter != "C"]
    order = [letters.index(letter) for letter in "STZYX" if letter in letters]
    view_shape = Layout(axes, shape).view_shape
    return of_samples.transpose(order).reshape(view_shape[0], *view_shape[2:])


@pytest.mark.parametrize("masked", [None, "drawn", "foreground"])
@settings_of_hypothesis(max_examples=25)
@given(case=images())
def test_no_pixel_of_the_held_out_part_is_read_but_to_validate(
    masked: str | None, case: tuple[str, tuple[int, ...], dict[str, Any]]
) -> None:
    axes, shape, given_settings = case
    stack = Recording(noise(shape), axes)
    mask = np.random.default_rng(0).random(shape) < 0.8 if masked == "drawn" else masked
    try:
        found = prepare(stack, settings(**given_settings), None, mask, STREAMED)
    except TrainingError as refused:
        # a mask may leave too little
        if masked is None or refused.field != "mask":
            raise
        return
    held = held_as_read(axes, shape, found.where.held.to_json())
    counts = stack.counts()
    assert counts[~held].any()
    # an estimate of the foreground is made of everything
    before = int(masked == "foreground")
    alone = Recording(noise(shape), axes)
    places = validation_places(found.where, found.settings.seed)
    read_all(open_images(alone, None, found.settings), places, found.where.grid.patch)
    assert np.array_equal(counts[held], alone.counts()[held] + before)

    stack.reads.clear()
    assert measure(found.images, found.where, found.parts) == found.measured
    assert not stack.counts()[held].any()
    assert stack.counts()[~held].any()

    stack.reads.clear()
    data = TrainingData(found)
    for step in range(min(8, -(-2 * data.patches // 8))):
        data.training_batch(step, 8)
    data.close()
    assert not stack.counts()[held].any()
    assert stack.counts()[~held].any()


def chosen(
    axes: str, shape: tuple[int, ...], patch: tuple[int, ...], percent: float = 10.0
) -> tuple[HeldOut, Layout]:
    layout = Layout(axes, shape, "Z" if len(patch) == 2 else "")
    grid = CellGrid(layout.view_shape[2:], patch)
    return hold_out(layout, grid, percent), layout


@pytest.mark.parametrize(
    ("axes", "shape", "patch", "held", "share"),
    [
        ("ZYX", (100, 64, 64), (64, 64), {"Z": (45, 55)}, 10),
        ("TZYX", (3, 100, 64, 64), (64, 64), {"Z": (45, 55)}, 10),
        ("TYX", (20, 64, 64), (64, 64), {"T": (9, 11)}, 10),
        ("TZYX", (40, 32, 64, 64), (16, 64, 64), {"T": (18, 22)}, 10),
        ("YX", (512, 512), (64, 64), {"Y": (320, 512), "X": (192, 320)}, 9.375),
        # too few time points: a box, in all of them
        ("TYX", (3, 512, 512), (64, 64), {"Y": (320, 512), "X": (192, 320)}, 9.375),
        # what is too narrow for a patch beside it goes with it
        ("YX", (130, 150), (64, 64), {"Y": (64, 130), "X": (0, 64)}, 21.7),
        ("ZYX", (16, 128, 256), (16, 64, 64), {"Y": (64, 128), "X": (64, 128)}, 12.5),
        ("YX", (64, 1000), (64, 64), {"X": (384, 512)}, 12.8),
    ],
)
def test_what_is_held_out(
    axes: str,
    shape: tuple[int, ...],
    patch: tuple[int, ...],
    held: dict[str, tuple[int, int]],
    share: float,
) -> None:
    found, layout = chosen(axes, shape, patch)
    assert found.axes == held
    assert share_held(layout, found) == pytest.approx(share, abs=0.1)


def test_nothing_where_nothing_is_wanted() -> None:
    found, layout = chosen("ZYX", (10, 64, 64), (64, 64), 0)
    assert (found.axes, found.samples, found.cells) == ({}, (), None)
    assert found.training == tuple(range(10))
    assert share_held(layout, found) == 0


def test_no_room_is_told() -> None:
    with pytest.raises(TrainingError, match=r"100 × 127 pixels.*64 × 64.*validation percent 0"):
        chosen("YX", (100, 127), (64, 64))


@given(images())
def test_a_part_for_each(case: tuple[str, tuple[int, ...], dict[str, Any]]) -> None:
    axes, shape, given_settings = case
    found, layout = chosen(
        axes, shape, given_settings["patch_size"], given_settings["validation_percent"]
    )
    assert 0 < share_held(layout, found) < 100
    assert found.samples
    assert found.training
    if found.cells is None:
        assert sorted(found.samples + found.training) == list(range(layout.view_shape[0]))


def test_of_a_mask_about_the_same_share_is_held_out() -> None:
    mask = np.zeros((512, 512), np.bool_)
    mask[:192, :256] = True
    data = prepared(noise((512, 512)), "YX", mask, patch_size=(32, 32))
    held = inside("YX", (512, 512), data.held_out)
    assert 0.04 < mask[held].sum() / mask.sum() < 0.2
    planes = np.zeros((40, 64, 64), np.bool_)
    planes[30:] = True
    data = prepared(noise((40, 64, 64)), "ZYX", planes, patch_size=(32, 32))
    start, stop = data.held_out["Z"]
    assert (stop - start, max(0, stop - max(start, 30))) == (4, 1)


def test_words_for_people() -> None:
    assert chosen("ZYX", (100, 64, 64), (64, 64))[0].text == "planes 45–54"
    assert chosen("TYX", (10, 64, 64), (64, 64))[0].text == "time point 4"
    assert chosen("YX", (512, 512), (64, 64))[0].text == "rows 320–511, columns 192–319"
    assert chosen("YX", (512, 512), (64, 64))[0].to_json() == {"Y": [320, 512], "X": [192, 320]}
