"""Every strategy in runs over real files, axes in odd orders, read back by other libraries."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import torch
import zarr
from torch import nn

from napari_tessera import iter_predictions, load_model, open_stack, plan_prediction, predict
from napari_tessera.metadata import ImageMetadata
from napari_tessera.prediction import Progress, Schedule, run_prediction
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import (
    ArrayWriter,
    CachedTiles,
    WriteImage,
    WriteTilesZarr,
    write_imagej_tiff,
    write_npy,
    write_ome_tiff,
    write_ome_zarr,
)

SIZES = {"S": 2, "T": 2, "C": 2, "Z": 3, "Y": 45, "X": 37}

CASES = [
    ("tif", "ZTCYX"),
    ("tif", "CSYX"),
    ("tif", "YX"),
    ("zarr", "TSZYX"),
    ("zarr", "XYZ"),
    ("zarr", "CTZXY"),
    ("h5", "SCYX"),
    ("h5", "ZYXC"),
    ("npy", "XCTYSZ"),
    ("npy", "YXT"),
]


class Blur:
    """Mean of a few neighbours, and how often it was asked for one."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def blur_3d() -> nn.Module:
    """Mean of 27 neighbours."""
    conv = nn.Conv3d(1, 1, 3, padding=1, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1 / 27)
    return conv


def image_file(folder: Path, kind: str, axes: str, seed: int = 0) -> tuple[str, np.ndarray]:
    """An image in a file of a kind, as its own library writes it."""
    shape = [SIZES[letter] for letter in axes]
    pixels = np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"in.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    elif kind == "npy":
        np.save(path, pixels)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("exp/raw", data=pixels)
        return f"{path}#/exp/raw", pixels
    else:
        chunks = tuple(min(size, 16) if letter in "YX" else 1 for letter, size in SIZES.items())
        group = zarr.create_group(path).create_group("g")
        group.create_array("a", data=pixels, chunks=chunks[-len(axes) :])
        return f"{path}/g/a", pixels
    return str(path), pixels


def save_h5(file_path: Path, img: np.ndarray) -> None:
    """A person's own function."""
    with h5py.File(file_path, "x") as file:
        file.create_dataset("denoised", data=img)


def as_tzcyx(array: np.ndarray, axes: str) -> np.ndarray:
    """What OME knows: samples are times, one after the other; axes of length 1 left out."""
    order = [letter for letter in "STZCYX" if letter in axes]
    array = array.transpose([axes.index(letter) for letter in order])
    if order[:2] == ["S", "T"]:
        array = array.reshape(-1, *array.shape[2:])
    return array.squeeze()


def by_source(out: Path, source: str) -> np.ndarray:
    """The array that `WriteTilesZarr` made of a source, as zarr reads it."""
    part = "g/a" if "/g/a" in source else "exp/raw" if "#" in source else "0"
    array: Any = zarr.open_group(str(out / "in_output.zarr"), mode="r")[part]
    return np.asarray(array[:])


@pytest.mark.parametrize(("kind", "axes"), CASES)
def test_all_at_once_cost_one_prediction_a_tile(tmp_path: Path, kind: str, axes: str) -> None:
    source, _ = image_file(tmp_path / "data", kind, axes)
    network = Blur()
    model = load_model(network)
    out = tmp_path / "out"
    with open_stack(source, axes) as stack:
        plan = plan_prediction(stack, model, patch_size=24, batch_size=1)
        expected = predict(stack, model, plan=plan)
        live = np.full(plan.layout.output_shape, np.nan, np.float32)
        network.calls = 0
        result = run_prediction(
            plan,
            stack,
            model,
            writers=[
                (ArrayWriter(live, plan.region), "."),
                (WriteTilesZarr(), out),
                (WriteTilesZarr(tmp_path / "out.ome.zarr", pyramid=False), out),
                (CachedTiles(write_ome_tiff, ".ome.tif", {}), out),
                (CachedTiles(save_h5, ".h5", {}), out),
            ],
        )
    assert result.completed
    assert network.calls == plan.total_tiles
    np.testing.assert_array_equal(live, expected)
    np.testing.assert_array_equal(by_source(out, source), expected)
    stem = {"tif": "in", "npy": "in", "h5": "in_exp_raw", "zarr": "in_g_a"}[kind]
    ome = tifffile.imread(out / f"{stem}.ome.tif")
    np.testing.assert_array_equal(ome.squeeze(), as_tzcyx(expected, axes))
    with h5py.File(out / f"{stem}.h5") as file:
        np.testing.assert_array_equal(file["denoised"][:], expected)
    level: Any = zarr.open_group(str(tmp_path / "out.ome.zarr"), mode="r")["0"]
    in_ome_order = as_tzcyx(expected, axes)
    letters = [letter for letter in "TZCYX" if letter in axes.replace("S", "T")]
    if "Z" in letters and "C" in letters:
        in_ome_order = in_ome_order.swapaxes(letters.index("Z"), letters.index("C"))
    np.testing.assert_array_equal(level[:].squeeze(), in_ome_order)
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(("kind", "axes"), [CASES[i] for i in (0, 3, 4, 6, 9)])
def test_tiles_handed_over_by_hand(tmp_path: Path, kind: str, axes: str) -> None:
    """Two images in turn, no run opened; whole-number arrays have a mask."""
    model = load_model(Blur())
    sources = [image_file(tmp_path / name, kind, axes, seed)[0] for seed, name in enumerate("ab")]
    stacks = [open_stack(source, axes) for source in sources]
    plans = [plan_prediction(stack, model, patch_size=24) for stack in stacks]
    cached = CachedTiles(write_npy, ".npy", {}, source_base=tmp_path)
    arrays = WriteTilesZarr(dtype="same", source_base=tmp_path)
    out = tmp_path / "out"
    both = [iter_predictions(plan, stack, model) for plan, stack in zip(plans, stacks, strict=True)]
    for number, tiles in enumerate(zip(*both, strict=True)):
        cached.write_batch(out, list(tiles[:: 1 if number % 2 else -1]))
        arrays.write_batch(out, list(tiles))
    stem = {"tif": "in", "npy": "in", "h5": "in_exp_raw", "zarr": "in_g_a"}[kind]
    for stack, plan, source, name in zip(stacks, plans, sources, "ab", strict=True):
        expected = predict(stack, model, plan=plan)
        np.testing.assert_array_equal(np.load(out / name / f"{stem}.npy"), expected)
        np.testing.assert_array_equal(
            by_source(out / name, source), np.rint(expected).clip(0, 65535)
        )
        stack.close()


@pytest.mark.parametrize(("kind", "axes"), CASES[1::2])
def test_whole_samples(tmp_path: Path, kind: str, axes: str) -> None:
    source, pixels = image_file(tmp_path / "data", kind, axes)
    model = load_model(blur_3d() if "Z" in axes else Blur())
    out = tmp_path / "out"
    with open_stack(source, axes) as stack:
        plan = plan_prediction(stack, model, patch_size=64)
        n_samples = int(np.prod([SIZES[letter] for letter in "STC" if letter in axes]))
        assert plan.total_tiles == n_samples
        run_prediction(
            plan,
            stack,
            model,
            writers=[(WriteImage(write_npy, ".npy", {}), out), (WriteImage(save_h5, ".h5"), out)],
        )
        expected = predict(stack, model, plan=plan)
    (saved,) = out.glob("*.npy")
    np.testing.assert_array_equal(np.load(saved), expected)
    assert expected.shape == pixels.shape
    with h5py.File(saved.with_suffix(".h5")) as file:
        np.testing.assert_array_equal(file["denoised"][:], expected)


@pytest.mark.parametrize(
    ("write", "extension"),
    [
        (write_ome_tiff, ".ome.tif"),
        (write_imagej_tiff, ".tif"),
        (write_npy, ".npy"),
        (write_ome_zarr, ".ome.zarr"),
    ],
)
def test_functions_that_come_with_it(tmp_path: Path, write: Any, extension: str) -> None:
    metadata = ImageMetadata(
        "CTYX",
        scale=(1.0, 2.0, 0.5, 0.25),
        units=(None, "second", "micrometer", "micrometer"),
        channel_names=("DAPI", "GFP"),
    )
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 3, 45, 37)).astype(np.uint16)
    stack = ArrayStack(pixels, "CTYX", source=str(tmp_path / "cells.tif"), metadata=metadata)
    model = load_model(Blur())
    plan = plan_prediction(
        stack, model, patch_size=24, output_dtype="input", region={"T": [0, 2], "C": [1]}
    )
    expected = predict(stack, model, plan=plan)
    out = tmp_path / "out"
    for overwrite in (False, True):
        strategy = CachedTiles(write, extension, {}, overwrite=overwrite)
        run_prediction(plan, stack, model, writers=[(strategy, out)])
    with pytest.raises(FileExistsError):
        run_prediction(plan, stack, model, writers=[(CachedTiles(write, extension, {}), out)])
    path = out / f"cells{extension}"
    if extension == ".npy":
        found = np.load(path)
    elif extension == ".ome.zarr":
        group = zarr.open_group(str(path), mode="r")
        found = np.asarray(group["0"][:])  # type: ignore[index]
        attributes: Any = group.attrs.asdict()
        (multiscale,) = attributes["ome"]["multiscales"]
        scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
        assert scale == [4.0, 1.0, 0.5, 0.25]
        assert attributes["napari_tessera"]["fingerprint"] == plan.fingerprint
    else:
        with tifffile.TiffFile(path) as file:
            found = file.asarray()
            if extension == ".tif":
                assert file.imagej_metadata is not None
                resolution = file.pages.first.tags["XResolution"].value
                assert resolution[0] / resolution[1] == pytest.approx(4)
            else:
                assert 'PhysicalSizeX="0.25"' in (file.ome_metadata or "")
                assert plan.fingerprint in (file.ome_metadata or "")
    np.testing.assert_array_equal(found.squeeze(), expected.squeeze())
    assert found.dtype == np.uint16
    assert sorted(entry.name for entry in out.iterdir()) == [path.name]


def test_a_stopped_run_into_an_array_of_its_own_goes_on(tmp_path: Path) -> None:
    source, _ = image_file(tmp_path / "data", "zarr", "CTZXY")
    network = Blur()
    model = load_model(network)
    out = tmp_path / "out"
    with open_stack(source, "CTZXY") as stack:
        plan = plan_prediction(stack, model, patch_size=24, batch_size=1, region={"C": [0]})
        expected = predict(stack, model, plan=plan)
        cancel = Event()

        def stop_half_way(state: Progress) -> None:
            if state.done >= plan.total_tiles // 2:
                cancel.set()

        stopped = run_prediction(
            plan,
            stack,
            model,
            writers=[(WriteTilesZarr(), out)],
            cancel=cancel,
            progress=stop_half_way,
        )
        writer = WriteTilesZarr()
        stored = writer.stored_run(out, source)
        assert stored is not None
        assert 0 < len(stored.done) == stopped.n_done < plan.total_tiles
        network.calls = 0
        result = run_prediction(
            plan,
            stack,
            model,
            writers=[(writer, out)],
            schedule=Schedule(plan.tiles, done=stored.done),
            resume=True,
        )
        second = stack.extract_patch(0, [1], (0, 0, 0), (3, 45, 37))
    assert result.completed
    assert network.calls == plan.total_tiles - len(stored.done)
    found = by_source(out, source)
    np.testing.assert_array_equal(found[:1], expected)
    np.testing.assert_array_equal(found[1, 0].transpose(0, 2, 1), second[0])
    attributes: Any = zarr.open_array(out / "in_output.zarr" / "g" / "a").attrs.asdict()
    state = attributes["napari_tessera"]
    assert (state["state"], state["completed"]) == ("finished", True)
    assert state["model"]["sha256"] == plan.model_sha256


@pytest.mark.parametrize("overwrite", [False, True])
def test_runs_over_arrays_are_counted(tmp_path: Path, overwrite: bool) -> None:
    """Arrays have no name: each run of one strategy is another image."""
    model = load_model(Blur())
    cached = CachedTiles(write_npy, ".npy", overwrite=overwrite)
    whole = WriteImage(write_npy, ".npy", overwrite=overwrite)
    arrays = WriteTilesZarr(overwrite=overwrite)
    writers = [(cached, tmp_path / "c"), (whole, tmp_path / "w"), (arrays, tmp_path / "z")]
    rng = np.random.default_rng(0)
    expected = [predict(rng.random((20, 24)), model, writers=writers) for _ in range(3)]
    for number, pixels in enumerate(expected):
        for folder in "cw":
            found = np.load(tmp_path / folder / f"array_{number}.npy")
            np.testing.assert_array_equal(found, pixels)
        array: Any = zarr.open_array(tmp_path / "z" / "array_output.zarr" / str(number))
        np.testing.assert_array_equal(array[:], pixels)
        assert arrays.stored_run(tmp_path / "z", "array", number) is not None
    assert len(list((tmp_path / "c").iterdir())) == 3


def test_the_run_over_an_array_that_was_stopped_is_the_one_that_goes_on(tmp_path: Path) -> None:
    model = load_model(Blur())
    rng = np.random.default_rng(0)
    images = [rng.random((40, 48)) for _ in range(3)]
    writer = WriteTilesZarr()
    predict(images[0], model, writers=[(writer, tmp_path)])
    stack = open_stack(images[1], "YX")
    plan = plan_prediction(stack, model, patch_size=24, batch_size=1)
    cancel = Event()
    run_prediction(
        plan,
        stack,
        model,
        writers=[(writer, tmp_path)],
        cancel=cancel,
        progress=lambda state: cancel.set() if state.done else None,
    )
    predict(images[2], model, writers=[(writer, tmp_path)])
    for resuming in (writer, WriteTilesZarr()):
        stored = resuming.stored_run(tmp_path, "array", 1)
        assert stored is not None
        run_prediction(
            plan,
            stack,
            model,
            writers=[(resuming, tmp_path)],
            schedule=Schedule(plan.tiles, done=stored.done),
            resume=True,
        )
    for number, image in enumerate(images):
        array: Any = zarr.open_array(tmp_path / "array_output.zarr" / str(number), mode="r")
        settings = {"plan": plan} if number == 1 else {}
        np.testing.assert_array_equal(array[:], predict(image, model, **settings))
    assert sorted(zarr.open_group(tmp_path / "array_output.zarr").array_keys()) == ["0", "1", "2"]


def test_a_run_in_tiles_is_refused_before_the_model_runs(tmp_path: Path) -> None:
    network = Blur()
    model = load_model(network)
    image = np.zeros((3, 40, 48), np.float32)
    plan = plan_prediction(image, model, patch_size=24)
    network.calls = 0
    with pytest.raises(
        ValueError, match=r"in tiles of \(24, 24\) along YX, of 40 along Y: WriteIm"
    ):
        predict(
            image, model, plan=plan, writers=[(WriteImage(write_npy, ".npy"), tmp_path / "out")]
        )
    assert network.calls == 0
    assert not (tmp_path / "out").exists()


def test_folded_axes_that_are_not_told_are_asked_for(tmp_path: Path) -> None:
    """One clear line, and no file."""
    image = np.random.default_rng(0).random((2, 3, 40, 48)).astype(np.float32)
    stack = ArrayStack(image, "TCYX", source="/data/c.tif")
    model = load_model(Blur())
    plan = plan_prediction(stack, model, patch_size=24)
    bare = [tile._replace(additional_metadata={}) for tile in iter_predictions(plan, stack, model)]
    assert plan.layout.fold == "C"
    for strategy in (CachedTiles(write_npy, ".npy"), WriteTilesZarr()):
        with pytest.raises(ValueError, match=r"TCYX .* with nothing folded .* give the axes that"):
            strategy.write_batch(tmp_path, bare)
    assert not list(tmp_path.iterdir())
