"""Tiles that carry raw pixels predict what tiles scaled in float64 do."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction.inference import TileModel
from napari_tessera.prediction.tile_io import RAW, Tile, TileReader
from napari_tessera.prediction.transfer.plain import PlainTransfer

CPU = torch.device("cpu")


def sharpened(x: torch.Tensor) -> torch.Tensor:
    return x + 0.5 * (x - torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1))


def image(dtype: str, shape: tuple[int, ...] = (2, 70, 90)) -> NDArray[Any]:
    values = np.random.default_rng(5).normal(110, 12, shape)
    return values.astype(dtype) if dtype != "bool" else values > 110


def tiles_of(values: NDArray[Any], axes: str, **settings: Any) -> tuple[Any, Any, list[Tile]]:
    stack, model = open_stack(values, axes), load_model(sharpened)
    plan = plan_prediction(stack, model, patch_size=32, overlaps=8, **settings)
    reader = TileReader(plan, stack, model)
    return plan, model, [reader.read(i, plan.tiles.spec(i)) for i in range(plan.tiles.n_tiles)]


DTYPES = ["uint8", "int8", "uint16", "int16", "float16", "float32", "uint32", "int64", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalization", ["none", "time_point"])
@pytest.mark.parametrize("output", ["float32", "uint16", "float64"])
def test_raw_tiles_predict_what_scaled_ones_do(dtype: str, normalization: str, output: str) -> None:
    plan, model, tiles = tiles_of(
        image(dtype), "TYX", normalization=normalization, output_dtype=output
    )
    for tile in tiles:
        assert tile.scaled is (np.dtype(dtype) not in RAW)
        assert tile.pixels.dtype == (np.float32 if tile.scaled else dtype)
        assert tile.pixels.shape == (1, 32, 32)
        assert tile.core.dtype == dtype
    plain = [replace(tile, pixels=tile.levels, scaled=True) for tile in tiles]
    with TileModel(plan, model) as tile_model:
        fast = [tile_model([tile])[0] for tile in tiles]
        slow = [tile_model([tile])[0] for tile in plain]
        # the reference: numbers in float64 all the way, but for the network
        for tile, made, other in zip(tiles, fast, slow, strict=True):
            out = model(torch.from_numpy(tile.levels[None]))[0].numpy()
            exact = out * tile.processing.multiply[0] + tile.processing.add[0]
            exact = exact[(slice(None), *_core(tile))]
            assert made.dtype == (np.float64 if output == "float64" else np.float32)
            assert made.flags.c_contiguous
            assert np.abs(made - exact).max() <= 1e-6 * np.ptp(image(dtype).astype(float))
            assert np.abs(made - other).max() <= 1e-6 * np.ptp(image(dtype).astype(float))


def _core(tile: Tile) -> tuple[slice, ...]:
    return tuple(
        slice(at, at + size)
        for at, size in zip(tile.specs["crop_coords"], tile.specs["crop_size"], strict=True)
    )


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int32"])
@pytest.mark.parametrize("blending", ["crop", "linear"])
def test_the_bytes_do_not_depend_on_batches_and_readers(dtype: str, blending: str) -> None:
    values, runs = image(dtype), []
    for batch, readers in ((1, 1), (3, 2), (4, 3)):
        runs.append(
            predict(
                open_stack(values, "TYX"),
                load_model(sharpened),
                patch_size=32,
                overlaps=8,
                normalization="time_point",
                blending=blending,
                batch_size=batch,
                reader_threads=readers,
            )
        )
    assert all(run.tobytes() == runs[0].tobytes() for run in runs[1:])


def test_samples_of_one_batch_have_numbers_of_their_own() -> None:
    values = image("uint16")
    values[1] = values[1] * 7 + 3000
    plan, model, tiles = tiles_of(values, "TYX", normalization="time_point", batch_size=2)
    half = len(tiles) // 2
    pair = [tiles[0], tiles[half]]
    assert pair[0].processing is not pair[1].processing
    with TileModel(plan, model) as tile_model:
        both = tile_model(pair)
        for tile, made in zip(pair, both, strict=True):
            assert tile_model([tile])[0].tobytes() == made.tobytes()


@pytest.mark.parametrize(
    ("bad", "normalization"),
    [(np.nan, "time_point"), (np.inf, "none"), (-np.inf, "time_point"), (3e38, "none")],
)
def test_tiles_that_float32_is_too_small_for_are_scaled_in_float64(
    bad: float, normalization: str
) -> None:
    values = image("float32", (70, 90))
    values[5, 6] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, _, tiles = tiles_of(values, "YX", normalization=normalization)
    assert [tile.scaled for tile in tiles] == [True] + [False] * (len(tiles) - 1)
    assert np.isfinite(tiles[0].pixels).all()
    assert tiles[0].nonfinite == int(not np.isfinite(bad))
    assert not any(tile.nonfinite for tile in tiles[1:])


def test_what_was_read_is_never_written_to() -> None:
    """Neither by scaling nor by a network that works in place: the writers get it too."""

    def in_place(x: torch.Tensor) -> torch.Tensor:
        return x.mul_(0).add_(1)

    values = image("float32", (64, 64))
    before = values.copy()
    stack, model = open_stack(values, "YX"), load_model(in_place)
    plan = plan_prediction(stack, model, patch_size=64, normalization="none")
    tile = TileReader(plan, stack, model).read(0, plan.tiles.spec(0))
    with TileModel(plan, model) as tile_model:
        made = tile_model([tile])[0]
        again = tile_model([replace(tile, pixels=tile.pixels * 2)])[0]
    assert np.array_equal(tile.core[0], before)
    assert np.array_equal(values, before)
    assert (made == 1).all()
    assert not np.shares_memory(made, again)


def test_read_only_and_turned_pixels_are_copied_once() -> None:
    values = image("uint16", (64, 64))

    class Odd:
        source, data_dtype, original_axes = "odd", values.dtype, "YX"
        data_shape, original_data_shape = (1, 1, 64, 64), (64, 64)

        def extract_patch(self, sample: int, channels: Any, coords: Any, size: Any) -> Any:
            (y, x), (h, w) = coords, size
            patch = values[y : y + h, x : x + w][None]
            patch = np.asfortranarray(patch) if y else patch[:]
            patch.setflags(write=False)
            return patch

    stack, model = Odd(), load_model(sharpened)
    plan = plan_prediction(stack, model, patch_size=32, overlaps=8)
    reader = TileReader(plan, stack, model)
    for i in range(plan.tiles.n_tiles):
        pixels = reader.read(i, plan.tiles.spec(i)).pixels
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable


def test_the_input_is_one_buffer() -> None:
    _, _, tiles = tiles_of(image("uint16"), "TYX", normalization="time_point")
    transfer = PlainTransfer(CPU)
    first = transfer.up(tiles[:1])
    assert first.numpy()[0] == pytest.approx(tiles[0].levels, rel=3e-7, abs=1e-9)
    assert transfer.up(tiles[1:2]).data_ptr() == first.data_ptr()
    assert transfer.up(tiles[:3]).shape == (3, 1, 32, 32)
    assert transfer.depth == 1
