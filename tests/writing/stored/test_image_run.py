from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from yaozarrs import v04, v05, validate_ome_object
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

MICRONS = ImageMetadata("YX", scale=(0.5, 0.5), units=("micrometer", "micrometer"))


def write(
    where: Any,
    image: Any,
    *,
    order: Sequence[int] | None = None,
    options: ImageOptions | None = None,
    overwrite: bool = False,
    **run: Any,
) -> None:
    """Write tiles one by one; all of them unless an order says which."""
    writer = OmeImageRun(where, image.run(**run), options=options, overwrite=overwrite)
    for tile in image.tiles(order):
        writer.add([tile])
    writer.close(completed=order is None)


def halved(pixels: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Means of the pixels that have a value, worked out pixel by pixel of the smaller array."""
    shape = [-(-size // factor) for size, factor in zip(pixels.shape, factors, strict=True)]
    padded = np.full([n * f for n, f in zip(shape, factors, strict=True)], np.nan)
    padded[tuple(slice(size) for size in pixels.shape)] = pixels
    split = [n for pair in zip(shape, factors, strict=True) for n in pair]
    blocks = padded.reshape(split)
    axes = tuple(range(1, 2 * pixels.ndim, 2))
    count = np.isfinite(blocks).sum(axis=axes)
    total = np.nansum(blocks, axis=axes)
    return np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)


def check_levels(group: zarr.Group, shapes: Sequence[tuple[int, ...]], expected: Any) -> None:
    """The levels of a group as plain zarr reads them."""
    levels = [group[str(level)] for level in range(len(shapes))]
    assert [level.shape for level in levels] == list(shapes)
    assert str(len(shapes)) not in group
    np.testing.assert_array_equal(levels[0][:], expected)
    for before, level in pairwise(levels):
        below = np.asarray(before[:], np.float64)
        factors = [-(-n // m) for n, m in zip(before.shape, level.shape, strict=True)]
        mean = halved(below, factors)
        if level.dtype.kind in "iu":
            np.testing.assert_array_equal(level[:], np.rint(mean))
        else:
            np.testing.assert_allclose(level[:], mean, rtol=2e-7)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize(
    ("axes", "shape", "patch", "fold", "levels"),
    [
        ("YX", (1030, 701), (300, 300), "", [(1030, 701), (515, 351), (258, 176)]),
        ("ZYX", (5, 530, 40), (4, 128, 40), "", [(5, 530, 40), (3, 265, 20)]),
        ("XTY", (40, 2, 530), (128, 40), "", [(2, 530, 40), (2, 265, 20)]),
        ("CZYX", (2, 3, 520, 30), (200, 30), "ZC", [(2, 3, 520, 30), (2, 2, 260, 15)]),
        (
            "TCZYX",
            (2, 2, 3, 520, 30),
            (200, 30),
            "ZC",
            [(2, 2, 3, 520, 30), (2, 2, 2, 260, 15)],
        ),
    ],
)
def test_all_levels_are_written_each_chunk_once(
    axes: str,
    shape: tuple[int, ...],
    patch: tuple[int, ...],
    fold: str,
    levels: list[tuple[int, ...]],
    version: str,
    tiled_image: Any,
    counting_store: Callable[..., Any],
) -> None:
    scale = {"Z": 0.25, "Y": 0.5, "X": 0.5}
    meta = ImageMetadata(
        axes,
        scale=tuple(scale.get(letter, 1.0) for letter in axes),
        units=tuple("micrometer" if letter in scale else None for letter in axes),
    )
    image = tiled_image(axes, shape, patch, (0,) * len(patch), fold=fold, metadata=meta)
    memory = MemoryStore()
    store = counting_store(memory)
    write(store, image, options=ImageOptions(ome_version=version))

    group = zarr.open_group(memory, mode="r")
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    order = OmeOrder(image.region.axes, image.region.selected_shape)
    check_levels(group, levels, order.to_disk(image.expected))
    chunks = {key: n for key, n in store.sets.items() if is_chunk(key)}
    assert set(chunks.values()) == {1}
    assert len(chunks) == sum(group[str(at)].nchunks for at in range(len(levels)))

    attributes = group.attrs.asdict()
    found = attributes["ome"] if version == "0.5" else attributes
    model: Any = v05 if version == "0.5" else v04
    ome = validate_ome_object(
        {key: value for key, value in found.items() if key != "napari_tessera"}, model.Image
    )
    datasets = ome.multiscales[0].datasets
    assert [dataset.path for dataset in datasets] == [str(at) for at in range(len(levels))]
    first, last = (d.coordinateTransformations[0].scale for d in (datasets[0], datasets[-1]))
    halvings = 2 ** (len(levels) - 1)
    assert last[-1] == first[-1] * halvings == 0.5 * halvings
    assert attributes["napari_tessera"]["state"] == "finished"


def is_chunk(key: str) -> bool:
    return key[0].isdigit() and not key.endswith(("zarr.json", ".zarray", ".zattrs"))


SHARDED = {"source_chunks": (128, 160), "source_shards": (256, 320)}


def test_each_shard_is_written_once(tiled_image: Any, counting_store: Callable[..., Any]) -> None:
    image = tiled_image("YX", (540, 700), (200, 200), (16, 16), metadata=MICRONS)
    memory = MemoryStore()
    store = counting_store(memory)
    write(store, image, **SHARDED)
    group = zarr.open_group(memory, mode="r")
    check_levels(group, [(540, 700), (270, 350)], image.expected)
    for level in ("0", "1"):
        assert (group[level].chunks, group[level].shards) == ((128, 160), (256, 320))
    shards = {key: n for key, n in store.sets.items() if is_chunk(key)}
    assert len(shards) == 3 * 3 + 2 * 2
    assert set(shards.values()) == {1}


def test_zarr_2_knows_no_shards(tiled_image: Any) -> None:
    image = tiled_image("YX", (540, 700), (200, 200), (16, 16))
    memory = MemoryStore()
    write(memory, image, order=[], options=ImageOptions("0.4"), **SHARDED)
    array = zarr.open_array(memory, path="0", mode="r")
    assert (array.chunks, array.shards) == ((128, 160), None)


def test_chunks_and_shards_of_the_image_are_taken_where_they_serve(
    tmp_path: Path, tiled_image: Any
) -> None:
    def written(image: Any, **run: Any) -> Any:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.ome.zarr"
        write(path, image, order=[], **run)
        return zarr.open_array(path / "0", mode="r")

    plane = tiled_image("TYX", (2, 700, 610), (128, 128), (16, 16))
    array = written(plane, source_chunks=(1, 128, 160), source_shards=(1, 256, 320))
    assert (array.chunks, array.shards) == ((1, 128, 160), (1, 256, 320))
    # a chunk of two time points would wait for the second one
    assert written(plane, source_chunks=(2, 128, 160)).chunks == (1, 256, 256)
    # on disk the axes have another order
    other = tiled_image("YXT", (700, 610, 2), (128, 128), (16, 16))
    assert written(other, source_chunks=(128, 160, 1)).chunks == (1, 256, 256)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_stopped_image_shows_what_is_there_and_goes_on_to_the_same_bytes(
    tmp_path: Path, tiled_image: Any, hashes: Any, version: str, dtype: str
) -> None:
    image = tiled_image("YX", (1030, 701), (200, 200), (20, 20), metadata=MICRONS)
    options = ImageOptions(version, chunks=(200, 180))
    output = np.dtype(dtype)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    write(tmp_path / "whole" / "x.ome.zarr", image, options=options, output_dtype=output)
    path = tmp_path / "parts" / "x.ome.zarr"
    order = np.random.default_rng(5).permutation(image.n_tiles).tolist()
    done: list[int] = []
    for part in (order[:7], order[7:12], order[12:]):
        # how it is stored is the store's: the second time nothing is asked for
        write(
            path,
            image,
            order=part,
            options=None if done else options,
            output_dtype=output,
            resume=bool(done),
        )
        done += part
        group = zarr.open_group(path, mode="r")
        stored = read_unfinished(path)
        assert stored is not None
        assert (stored.state, sorted(stored.done)) == ("stopped", sorted(done))
        about = group.attrs["napari_tessera"]
        assert about.get("partial_levels") == (True if len(done) < image.n_tiles else None)
        if dtype == "float32":
            assert 0 < np.isfinite(group["0"][:]).mean() <= 1
            check_levels(group, [(1030, 701), (515, 351), (258, 176)], group["0"][:])
    write(path, image, resume=True, output_dtype=output)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def test_levels_that_were_lost_are_made_again(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (1030, 701), (200, 200), (20, 20), metadata=MICRONS)
    path = tmp_path / "x.ome.zarr"
    write(path, image, order=range(20))
    chunks = sorted((path / "1" / "c").rglob("*"))
    for chunk in [chunk for chunk in chunks if chunk.is_file()][:2]:
        chunk.unlink()
    write(path, image, resume=True)
    group = zarr.open_group(path, mode="r")
    check_levels(group, [(1030, 701), (515, 351), (258, 176)], image.expected)


def test_what_is_stored_of_a_run(tmp_path: Path, tiled_image: Any) -> None:
    names = ImageMetadata("CYX", channel_names=("DAPI", "GFP"))
    image = tiled_image("CYX", (2, 40, 50), (16, 16), (4, 4), fold="C", metadata=names)
    path = tmp_path / "cells.ome.zarr"
    model = {"name": "n2v", "sha256": "ab" * 32, "licence": "MIT"}
    writer = OmeImageRun(path, image.run(model=model, input_dtype="uint16", input_fingerprint="1f"))
    about = zarr.open_group(path, mode="r").attrs["napari_tessera"]
    assert (about["state"], about["completed"], about["finished"]) == ("writing", False, None)
    for tile in image.tiles():
        writer.add([tile])
    writer.close(completed=True)
    attributes = zarr.open_group(path, mode="r").attrs.asdict()
    about = attributes["napari_tessera"]
    assert about["model"] == model
    assert about["input"] == {
        "source": "array",
        "axes": "CYX",
        "shape": [2, 40, 50],
        "dtype": "uint16",
        "fingerprint": "1f",
    }
    assert (about["axes"], about["shape"]) == ("CYX", [2, 40, 50])
    assert {"napari-tessera", "numpy", "python", "torch", "zarr"} == set(about["versions"])
    assert (about["state"], about["completed"]) == ("finished", True)
    assert about["started"] <= about["finished"]
    assert about["started"].endswith("+00:00")
    assert about["plan"] == image.run().plan
    labels = [channel["label"] for channel in attributes["ome"]["omero"]["channels"]]
    assert labels == ["DAPI", "GFP"]


def test_one_level_where_no_pyramid_is_wanted(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (1030, 40), (300, 40), (0, 0))
    write(tmp_path / "a.zarr", image, options=ImageOptions(pyramid=False))
    check_levels(zarr.open_group(tmp_path / "a.zarr", mode="r"), [(1030, 40)], image.expected)


def source_pixels(image: Any) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.integers(0, 60_000, image.layout.shape).astype(np.uint16)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize(
    ("axes", "fold", "selection", "patch"),
    [
        ("CYX", "C", {"C": [1]}, (128, 128)),
        ("STCZYX", "ZC", {"C": [0, 2], "Z": [0, 2], "T": 1}, (128, 30)),
        ("YCXZ", "C", {"C": slice(1, 3), "Y": slice(20, 560)}, (3, 128, 30)),
    ],
)
def test_channels_that_are_left_out_are_copied(
    tmp_path: Path,
    tiled_image: Any,
    axes: str,
    fold: str,
    selection: dict[str, Any],
    patch: tuple[int, ...],
    version: str,
) -> None:
    sizes = {"S": 2, "T": 2, "C": 3, "Z": 3, "Y": 600, "X": 30}
    shape = tuple(sizes[letter] for letter in axes)
    image = tiled_image(
        axes,
        shape,
        patch,
        (0,) * len(patch),
        fold=fold,
        selection=selection,
        metadata=ImageMetadata(axes, channel_names=("a", "b", "c")),
    )
    pixels = source_pixels(image)
    run = {"read_input": pixels.__getitem__, "output_dtype": np.dtype(np.float32)}
    options = ImageOptions(version, copy_channels=True)
    path = tmp_path / "a.ome.zarr"
    write(path, image, order=[0], options=options, **run)
    about = zarr.open_group(path, mode="r").attrs["napari_tessera"]
    assert not about["completed"]
    write(path, image, resume=True, **run)

    whole = np.full(image.layout.output_shape, np.nan, np.float32)
    at = axes.index("C")
    chosen = list(image.region.along("C"))
    indices = [list(part) for part in image.region.indices]
    predicted = np.ix_(*indices)
    whole[predicted] = image.expected
    copied = [channel for channel in range(3) if channel not in chosen]
    indices[at] = copied
    whole[np.ix_(*indices)] = pixels[np.ix_(*indices)]
    indices[at] = [0, 1, 2]
    expected = whole[np.ix_(*indices)]
    order = OmeOrder(axes, expected.shape)
    group = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(group["0"][:], order.to_disk(expected))
    assert group["1"].shape[-1] == 15
    assert np.isfinite(group["1"][:]).all()
    attributes = group.attrs.asdict()
    about = attributes["napari_tessera"]
    assert (about["copied_channels"], about["shape"]) == (copied, list(expected.shape))
    omero = attributes.get("ome", attributes)["omero"]
    assert [channel["label"] for channel in omero["channels"]] == ["a", "b", "c"]


def test_copied_pixels_that_do_not_fit_are_clipped_and_counted(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("CYX", (2, 20, 20), (20, 20), (0, 0), fold="C", selection={"C": 0})
    pixels = np.full((2, 20, 20), 300, np.uint16)
    run = {"read_input": pixels.__getitem__, "output_dtype": np.dtype(np.uint8)}
    write(tmp_path / "a.zarr", image, options=ImageOptions(copy_channels=True), **run)
    stored = read_unfinished(tmp_path / "a.zarr")
    assert stored is not None
    rounded = np.rint(image.expected)
    assert stored.clipped_pixels == 400 + ((rounded < 0) | (rounded > 255)).sum()
    assert (zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")[1] == 255).all()


def test_channels_are_copied_only_where_they_are_the_image_s(
    tmp_path: Path, tiled_image: Any
) -> None:
    options = ImageOptions(copy_channels=True)
    pixels = np.zeros((3, 20, 20), np.uint16)
    other = tiled_image("CYX", (3, 20, 20), (20, 20), (0, 0), channels=2, selection={"C": 1})
    write(tmp_path / "a.zarr", other, options=options, read_input=pixels.__getitem__)
    assert zarr.open_array(tmp_path / "a.zarr" / "0", mode="r").shape == (1, 20, 20)
    folded = tiled_image("CYX", (3, 20, 20), (20, 20), (0, 0), fold="C", selection={"C": 1})
    write(tmp_path / "b.zarr", folded, options=options)
    assert zarr.open_array(tmp_path / "b.zarr" / "0", mode="r").shape == (1, 20, 20)
    with pytest.raises(ValueError, match=r"chunks \(2, 8, 8\) along CYX hold several channels"):
        write(
            tmp_path / "c.zarr",
            folded,
            options=ImageOptions(copy_channels=True, chunks=(2, 8, 8)),
            read_input=pixels.__getitem__,
        )
    assert not (tmp_path / "c.zarr").exists()


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("kind", ["store", "url", "local store"])
def test_any_store_is_written_and_resumed(
    tmp_path: Path, tiled_image: Any, kind: str, version: str
) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    where: Any = {
        "store": MemoryStore(),
        "url": f"memory://b-{tmp_path.name}/x.ome.zarr",
        "local store": LocalStore(tmp_path / "x.ome.zarr"),
    }[kind]
    assert read_unfinished(where) is None
    options = ImageOptions(version)
    write(where, image, order=[1, 3], options=options)
    stored = read_unfinished(where)
    assert stored is not None
    assert (stored.completed, stored.done) == (False, [1, 3])
    with pytest.raises(FileExistsError, match="continue it with --resume"):
        write(where, image)
    write(where, image, resume=True, done=bytearray([0, 1, 0, 1, 0]))
    group = zarr.open_group(where, mode="r", use_consolidated=False)
    check_levels(group, [(600, 90), (300, 45)], image.expected)
    assert sorted(group) == ["0", "1"]
    assert list(tmp_path.glob(".*")) == []
    write(where, image, overwrite=True)


def test_a_zip_is_packed_at_the_end(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    path = tmp_path / "x.ome.zarr.zip"
    write(path, image)
    assert list(tmp_path.iterdir()) == [path]
    with zarr.storage.ZipStore(path, read_only=True) as store:
        check_levels(zarr.open_group(store, mode="r"), [(600, 90), (300, 45)], image.expected)
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.completed
    with pytest.raises(ValueError, match="cannot be resumed"):
        write(path, image, resume=True)
    with pytest.raises(FileExistsError, match="replace it with --overwrite"):
        write(path, image)
    write(path, image, overwrite=True, order=[0])
    stored = read_unfinished(path)
    assert stored is not None
    assert stored.done == [0]
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_writer_is_refused_until_the_first_is_through(
    tmp_path: Path, tiled_image: Any, hashes: Any
) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    path = tmp_path / "x.ome.zarr"
    first = OmeImageRun(path, image.run())
    first.add(image.tiles([0]))
    first.flush()
    before = hashes(path)
    for run in ({"resume": True}, {}):
        with pytest.raises(StoreBusyError, match="is being written by"):
            OmeImageRun(path, image.run(**run), overwrite=not run)
    assert hashes(path) == before
    first.close(completed=False)
    with pytest.raises(ValueError, match="another run"):
        OmeImageRun(path, image.run(resume=True, fingerprint="beef"))
    write(path, image, resume=True)
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_that_was_changed_is_not_gone_on_with(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    path = tmp_path / "x.ome.zarr"
    write(path, image, order=[0])
    del zarr.open_group(path)["1"]
    with pytest.raises(ValueError, match="something else changed it") as caught:
        write(path, image, resume=True)
    assert "\n" not in str(caught.value)


def test_an_error_while_channels_are_copied_leaves_a_run_to_go_on_with(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("CYX", (2, 60, 50), (30, 30), (0, 0), fold="C", selection={"C": 0})
    path = tmp_path / "x.ome.zarr"

    def broken(block: tuple[slice, ...]) -> Any:
        raise OSError("the server does not answer")

    options = ImageOptions(copy_channels=True)
    with pytest.raises(OSError, match="does not answer"):
        write(path, image, options=options, read_input=broken)
    stored = read_unfinished(path)
    assert stored is not None
    assert (stored.state, stored.completed) == ("stopped", False)
    assert stored.done == list(range(image.n_tiles))
    pixels = source_pixels(image)
    write(path, image, order=[], resume=True, read_input=pixels.__getitem__)
    write(path, image, resume=True, read_input=pixels.__getitem__)
    np.testing.assert_array_equal(zarr.open_array(path / "0", mode="r")[1], pixels[1])


def test_a_window_of_what_is_there_stands_in_a_stopped_image(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("YX", (1030, 701), (200, 200), (20, 20))
    path = tmp_path / "x.ome.zarr"

    def window() -> Mapping[str, float]:
        ome: Any = zarr.open_group(path, mode="r").attrs["ome"]
        return Counter() if "omero" not in ome else ome["omero"]["channels"][0]["window"]

    write(path, image, order=[])
    assert not window()
    write(path, image, order=[0, 1], resume=True)
    seen = window()
    assert -100 < seen["start"] < 100 < seen["end"] < 300
