from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from yaozarrs import v04, v05, validate_ome_object
from zarr.storage import MemoryStore

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing import read_unfinished
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

from .writing_images import check_levels, is_chunk, write

MICRONS = ImageMetadata("YX", scale=(0.5, 0.5), units=("micrometer", "micrometer"))


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


SHARDED = {"source_chunks": (128, 160), "source_shards": (256, 320)}


def test_each_shard_is_written_once(tiled_image: Any, counting_store: Callable[..., Any]) -> None:
    image = tiled_image("YX", (540, 700), (200, 200), (16, 16), metadata=MICRONS)
    memory = MemoryStore()
    store = counting_store(memory)
    write(store, image, **SHARDED)
    group = zarr.open_group(memory, mode="r")
    check_levels(group, [(540, 700), (270, 350)], image.expected)
    # those of a smaller level are half as large
    for level, lengths in (("0", (256, 320)), ("1", (128, 320))):
        assert (group[level].chunks, group[level].shards) == ((128, 160), lengths)
    shards = {key: n for key, n in store.sets.items() if is_chunk(key)}
    assert len(shards) == 3 * 3 + 3 * 2
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
    # strips of a TIFF
    wide = tiled_image("YX", (100, 3000), (128, 128), (16, 16))
    assert written(wide, source_chunks=(10, 3000)).chunks == (100, 256)
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
