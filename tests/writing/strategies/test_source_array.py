"""One array for one image: mask, chunks, copied channels, and going on after a stop."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.abc.store import Store
from zarr.storage import LocalStore

from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import RunInfo, WriteTilesZarr
from napari_tessera.writing.places.lock import StoreBusyError

from ..dying import die_at_write

SOURCE = "/data/in.zarr/g/a"


@pytest.fixture
def volume(tiled_image: Any) -> Any:
    """A 2D model on TCZYX, C and Z folded."""
    return tiled_image("TCZYX", (2, 2, 3, 61, 47), (24, 24), (8, 8), fold="ZC", source=SOURCE)


def stored(out: Path, name: str = "a") -> zarr.Array[Any]:
    return zarr.open_array(str(out / "in_output.zarr" / "g" / name), mode="r")


def said(out: Path) -> dict[str, Any]:
    """What the array says of its run."""
    attribute: dict[str, Any] = stored(out).attrs.asdict()["napari_tessera"]
    return attribute


def run_into(
    out: Path, image: Any, order: Any = None, *, completed: bool = True, **options: Any
) -> WriteTilesZarr:
    writer = WriteTilesZarr(**options)
    writer.open(image.run(dirpath=out))
    for tile in range(image.n_tiles) if order is None else order:
        writer.write_batch(out, [image.tile(tile)])
    writer.close(completed=completed)
    return writer


def test_the_array_is_there_before_the_first_tile(tmp_path: Path, volume: Any) -> None:
    out = tmp_path / "new" / "out"
    writer = WriteTilesZarr()
    writer.open(volume.run(dirpath=out, input_dtype="uint16", model={"name": "blur"}))
    assert stored(out).shape == (2, 2, 3, 61, 47)
    state = said(out)
    assert (state["state"], state["completed"], state["total_tiles"]) == ("writing", False, 144)
    assert state["input"]["source"] == SOURCE
    assert state["model"] == {"name": "blur"}
    writer.close(completed=False)
    assert said(out)["state"] == "stopped"


def test_a_finished_array_says_so_and_nothing_else_is_left(tmp_path: Path, volume: Any) -> None:
    run_into(tmp_path, volume)
    state = said(tmp_path)
    assert (state["state"], state["completed"], state["clipped_pixels"]) == ("finished", True, 0)
    assert state["plan"]["fingerprint_of"]["model_name"] == "blur"
    files = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert files - {"zarr.json"} <= {str(n) for n in range(8)}
    assert not list(tmp_path.glob(".*"))
    # every group on the way can be browsed
    assert (tmp_path / "in_output.zarr" / "g" / "zarr.json").exists()
    assert (tmp_path / "in_output.zarr" / "zarr.json").exists()


def test_tiles_alone_are_finished_with_the_last_one(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr(dtype="uint8")
    writer.write_batch(tmp_path, volume.tiles()[:-1])
    assert said(tmp_path)["state"] == "writing"
    writer.write_batch(tmp_path, volume.tiles()[-1:])
    state = said(tmp_path)
    assert (state["state"], state["completed"]) == ("finished", True)
    rounded = np.rint(volume.expected)
    assert state["clipped_pixels"] == ((rounded < 0) | (rounded > 255)).sum() > 0
    np.testing.assert_array_equal(stored(tmp_path)[:], rounded.clip(0, 255))
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(ValueError, match="is one more than were expected") as caught:
        writer.write_batch(tmp_path, volume.tiles()[:1])
    assert "\n" not in str(caught.value)


def test_a_tile_that_comes_twice_is_an_error(tmp_path: Path, volume: Any) -> None:
    writer = WriteTilesZarr()
    with pytest.raises(ValueError, match="takes each of its 144 tiles once"):
        writer.write_batch(tmp_path, [volume.tile(0), volume.tile(1), volume.tile(0)])
    writer.close(completed=False)
    assert not said(tmp_path)["completed"]


def test_tiles_of_another_image_are_refused(tmp_path: Path, volume: Any, tiled_image: Any) -> None:
    other = tiled_image("TCYX", (2, 2, 61, 47), (24, 24), (8, 8), fold="C", source=SOURCE)
    writer = WriteTilesZarr()
    with pytest.raises(ValueError, match="is of another image than"):
        writer.write_batch(tmp_path, [volume.tile(0), other.tile(0)])
    writer.close(completed=False)
    numberless = volume.tile(0)
    numberless = numberless._replace(
        additional_metadata={**numberless.additional_metadata, "tile_index": None}
    )
    shutil.rmtree(tmp_path / "in_output.zarr")
    writer.open(volume.run(dirpath=tmp_path))
    with pytest.raises(ValueError, match="has no tile_index"):
        writer.write_batch(tmp_path, [numberless])
    writer.close(completed=False)


@pytest.mark.parametrize(
    ("source_chunks", "source_shards", "dtype", "expected"),
    [
        (None, None, None, ((1, 256, 256), None)),
        ((1, 300, 200), None, None, ((1, 300, 200), None)),
        ((1, 150, 200), (1, 600, 400), None, ((1, 150, 200), (1, 600, 400))),
        ((1, 300, 300), (1, 700, 600), None, ((1, 300, 300), None)),
        ((1, 100, 80), (1, 300, 160), "uint8", ((1, 100, 80), (1, 300, 160))),
        # one that holds two time points waits for the second one
        ((1, 150, 200), (2, 600, 400), None, ((1, 150, 200), None)),
        ((2, 300, 300), None, None, ((1, 256, 256), None)),
        # strips of a TIFF
        ((1, 20, 610), None, None, ((1, 256, 256), None)),
        # too many of so few bytes
        ((1, 64, 64), (2, 640, 640), None, ((1, 256, 256), None)),
        ((1, 8, 8), None, None, ((1, 256, 256), None)),
        # of another image
        ((300, 200), None, None, ((1, 256, 256), None)),
    ],
)
def test_chunks_are_the_images_where_they_serve(
    tmp_path: Path,
    tiled_image: Any,
    source_chunks: Any,
    source_shards: Any,
    dtype: str | None,
    expected: Any,
) -> None:
    image = tiled_image("TYX", (4, 600, 610), (300, 300), (40, 40), source=SOURCE)
    run_into(
        tmp_path / "run",
        Changed(image, source_chunks=source_chunks, source_shards=source_shards),
        dtype=dtype,
    )
    by_hand = [
        tile._replace(
            additional_metadata={
                **tile.additional_metadata,
                "chunks": source_chunks,
                "shards": source_shards,
            }
        )
        for tile in image.tiles()
    ]
    WriteTilesZarr(dtype=dtype).write_batch(tmp_path / "hand", by_hand)
    for out in (tmp_path / "run", tmp_path / "hand"):
        array = stored(out)
        assert (array.chunks, array.shards) == expected
        if dtype is not None:
            mask = stored(out, "a_done")
            assert (mask.chunks, mask.shards) == expected


class Changed:
    """An image whose run is told something else."""

    def __init__(self, image: Any, **changes: Any) -> None:
        self._image, self._changes = image, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image, name)

    def run(self, **changes: Any) -> RunInfo:
        run: RunInfo = self._image.run(**{**self._changes, **changes})
        return run


def test_chunks_of_an_image_without_the_channels_that_are_made(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("YX", (600, 610), (300, 300), (40, 40), channels=2, source=SOURCE)
    run_into(tmp_path, Changed(image, source_chunks=(300, 200), source_shards=(600, 400)))
    array = stored(tmp_path)
    assert (array.chunks, array.shards) == ((1, 300, 200), (1, 600, 400))
    np.testing.assert_array_equal(array[:], image.expected)


@pytest.mark.parametrize("dtype", [None, "uint8"])
@pytest.mark.parametrize("limit", [0, 3000, 2**30])
def test_the_mask_is_never_ahead_of_the_pixels(
    tmp_path: Path,
    tiled_image: Any,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    dtype: str | None,
) -> None:
    image = tiled_image("YX", (61, 47), (24, 24), (8, 8), source=SOURCE)
    image.view[:] = np.abs(image.view) + 1
    original = LocalStore.set

    async def checked(self: LocalStore, key: str, value: Any) -> None:
        await original(self, key, value)
        if "a_done/c/" in key:
            sets.append(key)

    sets: list[str] = []
    monkeypatch.setattr(LocalStore, "set", checked)
    writer = WriteTilesZarr(dtype=dtype, chunks=(20, 30), memory_limit=limit)
    order = np.random.default_rng(1).permutation(image.n_tiles)
    for count, tile in enumerate(order):
        writer.write_batch(tmp_path, [image.tile(int(tile))])
        if dtype is None:
            continue
        mask, pixels = stored(tmp_path, "a_done")[:], stored(tmp_path)[:]
        np.testing.assert_array_equal(mask == 1, pixels > 0)
        if count + 1 == image.n_tiles:
            assert (mask == 1).all()
    assert bool(sets) == (dtype is not None)


@settings(max_examples=8)
@given(data=st.data())
def test_the_mask_follows_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, tiled_image: Any, data: st.DataObject
) -> None:
    """Whatever is flushed when, ones stand exactly where pixels do."""
    image = tiled_image("TYX", (2, 30, 41), (16, 16), (4, 4), source=SOURCE)
    image.view[:] = np.abs(image.view) + 1
    out = tmp_path_factory.mktemp("mask")
    chunks = data.draw(st.tuples(st.integers(1, 2), st.integers(5, 30), st.integers(5, 41)))
    limit = data.draw(st.integers(0, 6000))
    writer = WriteTilesZarr(dtype="uint16", chunks=chunks, memory_limit=limit)
    order = data.draw(st.permutations(range(image.n_tiles)))
    stop = data.draw(st.integers(1, image.n_tiles))
    for tile in order[:stop]:
        writer.write_batch(out, [image.tile(tile)])
        if data.draw(st.booleans()):
            writer.flush()
        np.testing.assert_array_equal(stored(out, "a_done")[:] == 1, stored(out)[:] > 0)
    writer.close(completed=stop == image.n_tiles)
    expected = np.zeros(image.layout.output_shape, bool)
    for tile in order[:stop]:
        expected[image.block(tile)] = True
    np.testing.assert_array_equal(stored(out, "a_done")[:] == 1, expected)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, counting_store: Callable[..., Any]) -> Counter[str]:
    sets: Counter[str] = Counter()

    def open_store(path: Path) -> Store:
        store: Store = counting_store(LocalStore(path), sets)
        return store

    monkeypatch.setattr("napari_tessera.writing.strategies.array_node.open_store", open_store)
    return sets


@pytest.mark.parametrize("dtype", [None, "same"])
def test_each_chunk_is_written_once(
    tmp_path: Path, tiled_image: Any, counted: Counter[str], dtype: str | None
) -> None:
    axes, shape = "TCYX", (2, 3, 61, 47)
    image = tiled_image(
        axes, shape, (24, 24), (8, 8), fold="C", source=SOURCE, selection={"C": [1]}
    )
    pixels = np.random.default_rng(0).integers(0, 65535, shape).astype(np.uint16)
    run_into(
        tmp_path,
        Changed(image, read_input=pixels.__getitem__, input_dtype="uint16"),
        chunks=(2, 20, 30),
        dtype=dtype,
    )
    chunks = {key: n for key, n in counted.items() if "/c/" in key and "ledger" not in key}
    assert set(chunks.values()) == {1}
    assert len(chunks) == 2 * 3 * 4 * 2 * (1 if dtype is None else 2)


@pytest.mark.parametrize("dtype", [None, "same", "uint8"])
@pytest.mark.parametrize(
    ("axes", "selection"),
    [
        ("TCYX", {"C": [1]}),
        ("CTZYX", {"C": [0, 2]}),
        ("XCTYZ", {"C": [2], "T": [0, 2], "Y": slice(5, 50)}),
        ("TSYXC", {"C": [0, 1], "S": [1]}),
    ],
)
def test_channels_that_are_left_out_are_copied(
    tmp_path: Path, tiled_image: Any, axes: str, selection: dict[str, Any], dtype: str | None
) -> None:
    sizes = {"S": 2, "T": 3, "C": 3, "Z": 2, "Y": 61, "X": 47}
    shape = [sizes[letter] for letter in axes]
    image = tiled_image(
        axes, shape, (24, 24), (8, 8), fold="ZC", source=SOURCE, selection=selection
    )
    pixels = np.random.default_rng(0).integers(1, 65535, shape).astype(np.uint16)
    stack = ArrayStack(pixels, axes)
    run_into(
        tmp_path,
        Changed(image, read_input=pixels.__getitem__, input_dtype=str(stack.data_dtype)),
        dtype=dtype,
    )
    array = stored(tmp_path)
    top = {None: None, "same": 65535, "uint8": 255}[dtype]
    predicted = image.layout.restore(image.view)
    predicted = predicted if top is None else np.rint(predicted).clip(0, top)
    copied = pixels if top is None else pixels.clip(0, top)
    expected = np.full(shape, np.nan if top is None else 0, np.float32)
    there = np.zeros(shape, bool)
    for channel in range(3):
        chosen = [list(indices) for indices in image.region.indices]
        wanted = channel in chosen[axes.index("C")]
        chosen[axes.index("C")] = [channel]
        at = np.ix_(*chosen)
        expected[at] = (predicted if wanted else copied)[at]
        there[at] = True
    np.testing.assert_array_equal(array[:], expected)
    if top is not None:
        np.testing.assert_array_equal(stored(tmp_path, "a_done")[:] == 1, there)
    assert said(tmp_path)["completed"]
    if dtype == "uint8":
        rounded = np.rint(image.expected)
        beyond = ((rounded < 0) | (rounded > 255)).sum()
        others = pixels[there & ~np.isin(np.indices(shape)[axes.index("C")], selection["C"])]
        assert said(tmp_path)["clipped_pixels"] == beyond + (others > 255).sum()


@pytest.mark.parametrize("dtype", [None, "uint8"])
@pytest.mark.parametrize("stopped_by", ["cancel", "kill", "kill after flush"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, tiled_image: Any, hashes: Any, dtype: str | None, stopped_by: str
) -> None:
    image = tiled_image("TYX", (2, 61, 47), (24, 24), (8, 8), source=SOURCE)
    options: dict[str, Any] = {"dtype": dtype, "chunks": (20, 30)}
    run_into(tmp_path / "whole", image, **options)
    out = tmp_path / "parts"
    order = np.random.default_rng(7).permutation(image.n_tiles).tolist()
    done: set[int] = set()
    for stop in (3, 15, 16, image.n_tiles):
        writer = WriteTilesZarr(**options)
        before = writer.stored_run(out, SOURCE)
        assert (before is None) == (not out.exists())
        writer.open(image.run(dirpath=out, resume=before is not None))
        for tile in [tile for tile in order[:stop] if tile not in done]:
            writer.write_batch(out, [image.tile(tile)])
        if stop == image.n_tiles:
            writer.close(completed=True)
            break
        if stopped_by == "cancel":
            writer.close(completed=False)
        else:
            if stopped_by == "kill after flush":
                writer.flush()
            killed(writer)
        left = WriteTilesZarr().stored_run(out, SOURCE)
        assert left is not None
        assert not left.completed
        if stopped_by != "kill":
            assert sorted(left.done) == sorted(order[:stop])
        assert done <= set(left.done) <= set(order[:stop])
        done = set(left.done)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    left = WriteTilesZarr().stored_run(out, SOURCE)
    assert left is not None
    assert left.completed
    assert left.done == list(range(image.n_tiles))


def killed(writer: WriteTilesZarr) -> None:
    """What the system does to a killed process: its locks go, nothing more is written."""
    for lock, _ in writer._arrays._locks.values():
        lock.release()


def test_a_run_whose_array_is_finished_changes_nothing(
    tmp_path: Path, volume: Any, hashes: Any
) -> None:
    run_into(tmp_path, volume)
    before = hashes(tmp_path)
    writer = WriteTilesZarr()
    writer.open(volume.run(dirpath=tmp_path, resume=True))
    writer.write_batch(tmp_path, volume.tiles()[:3])
    writer.close(completed=True)
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("readable", [0, 3])
def test_a_run_that_was_stopped_while_channels_were_copied(
    tmp_path: Path, tiled_image: Any, readable: int
) -> None:
    shape = (2, 61, 47)
    pixels = np.random.default_rng(0).integers(1, 65535, shape).astype(np.uint16)
    image = tiled_image(
        "CYX", shape, (24, 24), (8, 8), fold="C", source=SOURCE, selection={"C": [1]}
    )

    reads = 0

    def unreadable(block: tuple[slice, ...]) -> Any:
        nonlocal reads
        reads += 1
        if reads > readable:
            raise OSError("the disk is gone")
        return pixels[block]

    writer = WriteTilesZarr(chunks=(20, 30))
    writer.open(image.run(dirpath=tmp_path, read_input=unreadable))
    with pytest.raises(OSError, match="the disk is gone"):
        writer.write_batch(tmp_path, image.tiles())
    reads = 0
    with pytest.raises(OSError, match="the disk is gone"):
        writer.close(completed=False)
    assert said(tmp_path)["state"] == "stopped"
    left = writer.stored_run(tmp_path, SOURCE)
    assert left is not None
    assert (left.completed, len(left.done)) == (False, image.n_tiles)
    done = bytearray(b"\1" * image.n_tiles)
    writer.open(image.run(dirpath=tmp_path, resume=True, done=done, read_input=pixels.__getitem__))
    writer.close(completed=True)
    np.testing.assert_array_equal(stored(tmp_path)[0], pixels[0])
    np.testing.assert_array_equal(stored(tmp_path)[1], image.expected[0])
    assert said(tmp_path)["state"] == "finished"


def test_what_does_not_agree_is_not_gone_on_with(tmp_path: Path, volume: Any, hashes: Any) -> None:
    run_into(tmp_path, volume, [0, 1], completed=False)
    before = hashes(tmp_path)
    plan = {"fingerprint_of": {"patch_size": [32, 32], "model_name": "blur"}, "settings": {}}
    with pytest.raises(ValueError, match=r"patch.size \(\[24, 24\] there, \[32, 32\] now\)"):
        WriteTilesZarr().open(
            volume.run(dirpath=tmp_path, resume=True, plan=plan, fingerprint="beef")
        )
    with pytest.raises(ValueError, match=r"it is float32 .*, uint8 .* is asked for") as caught:
        WriteTilesZarr(dtype="uint8").open(volume.run(dirpath=tmp_path, resume=True))
    assert "\n" not in str(caught.value)
    with pytest.raises(FileExistsError, match="exists: resume its run, choose another folder"):
        WriteTilesZarr().open(volume.run(dirpath=tmp_path))
    with pytest.raises(FileExistsError, match="exists: resume its run"):
        WriteTilesZarr().write_batch(tmp_path, volume.tiles([0]))
    with pytest.raises(ValueError, match="resume and overwrite exclude each other"):
        WriteTilesZarr(overwrite=True).open(volume.run(dirpath=tmp_path, resume=True))
    with pytest.raises(
        ValueError,
        match=r"1 tiles that this run counts as done are not in .*, or leave this writer out",
    ):
        WriteTilesZarr().open(
            volume.run(dirpath=tmp_path, resume=True, done=bytearray(b"\1\1\1" + bytes(141)))
        )
    assert hashes(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("there", ["nothing", "store", "array"])
def test_a_run_that_was_begun_elsewhere_is_not_joined(
    tmp_path: Path, volume: Any, hashes: Any, there: str
) -> None:
    out = tmp_path / "new" / "out"
    if there != "nothing":
        out.mkdir(parents=True)
        zarr.create_group(out / "in_output.zarr")
    if there == "array":
        WriteTilesZarr().write_batch(out, volume.tiles())
    before = hashes(tmp_path)
    run = volume.run(dirpath=out, resume=there != "array", done=bytearray(b"\1\0\1" + bytes(141)))
    message = r"2 tiles of this run are done in another place, and none of them in .*: start"
    for _ in range(2):
        with pytest.raises(ValueError, match=message) as caught:
            WriteTilesZarr(overwrite=there == "array").open(run)
        assert "\n" not in str(caught.value)
    assert hashes(tmp_path) == before
    assert sorted(tmp_path.iterdir()) == ([] if there == "nothing" else [tmp_path / "new"])


def test_an_array_of_somebody_else_is_not_gone_on_with(tmp_path: Path, volume: Any) -> None:
    group = zarr.create_group(tmp_path / "in_output.zarr").create_group("g")
    group.create_array("a", shape=(2, 2, 3, 61, 47), dtype="f4", chunks=(1, 1, 1, 61, 47))
    with pytest.raises(FileExistsError, match="exists: choose another folder") as caught:
        WriteTilesZarr().open(volume.run(dirpath=tmp_path, resume=True))
    assert "resume" not in str(caught.value)


def test_what_stands_in_the_way(tmp_path: Path, volume: Any) -> None:
    (tmp_path / "in_output.zarr").mkdir()
    (tmp_path / "in_output.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is no Zarr store"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    shutil.rmtree(tmp_path / "in_output.zarr")
    zarr.create_array(tmp_path / "in_output.zarr", shape=(3,), dtype="u1")
    with pytest.raises(FileExistsError, match="is one array, no group"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    shutil.rmtree(tmp_path / "in_output.zarr")
    zarr.create_group(tmp_path / "in_output.zarr").create_group("g").create_array(
        "a_done", shape=(3,), dtype="u1"
    )
    with pytest.raises(FileExistsError, match="a_done stands where the mask"):
        WriteTilesZarr(dtype="uint8").write_batch(tmp_path, volume.tiles([0]))
    WriteTilesZarr().write_batch(tmp_path, volume.tiles())
    assert stored(tmp_path, "a_done").shape == (3,)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", ["array", "group"])
def test_what_is_no_mask_of_the_array_stays_when_that_is_replaced(
    tmp_path: Path, volume: Any, hashes: Any, kind: str
) -> None:
    WriteTilesZarr().write_batch(tmp_path, volume.tiles())
    group = zarr.open_group(tmp_path / "in_output.zarr" / "g")
    mine = group if kind == "array" else group.create_group("a_done")
    mine.create_array("a_done" if kind == "array" else "mine", shape=(3,), dtype="u1")[:] = 7
    before = hashes(tmp_path)
    with pytest.raises(FileExistsError, match="a_done stands where the mask") as caught:
        WriteTilesZarr(dtype="uint8", overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    assert "\n" not in str(caught.value)
    assert hashes(tmp_path) == before
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles())
    kept = "g/a_done" if kind == "array" else "g/a_done/mine"
    root = zarr.open_group(tmp_path / "in_output.zarr", mode="r")
    np.testing.assert_array_equal(root[kept][:], 7)


def test_a_mask_is_not_replaced_by_an_image_of_its_name(
    tmp_path: Path, volume: Any, tiled_image: Any, hashes: Any
) -> None:
    WriteTilesZarr(dtype="uint8").write_batch(tmp_path, volume.tiles())
    before = hashes(tmp_path)
    beside = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="/data/in.zarr/g/a_done")
    with pytest.raises(FileExistsError, match="says what is done of a: choose another folder"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, beside.tiles())
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("names", [("a", "a_done"), ("a_done", "a")])
def test_images_named_like_masks_and_the_masks_get_places_of_their_own(
    tmp_path: Path, tiled_image: Any, names: tuple[str, str]
) -> None:
    images = [
        tiled_image("YX", (20, 20), (16, 16), (4, 4), source=f"/data/in.zarr/g/{name}", seed=seed)
        for seed, name in enumerate(names)
    ]
    writer = WriteTilesZarr(dtype="uint8", overwrite=True)
    for image in images:
        writer.write_batch(tmp_path, image.tiles())
    second = f"{names[1]}_0"
    for name, image in zip((names[0], second), images, strict=True):
        rounded = np.rint(image.expected).clip(0, 255)
        np.testing.assert_array_equal(stored(tmp_path, name)[:], rounded)
        np.testing.assert_array_equal(stored(tmp_path, f"{name}_done")[:], 1)


def test_replacing_integers_by_floats_takes_the_mask_away(tmp_path: Path, volume: Any) -> None:
    WriteTilesZarr(dtype="uint8").write_batch(tmp_path, volume.tiles())
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles())
    np.testing.assert_array_equal(stored(tmp_path)[:], volume.expected)
    assert sorted(p.name for p in (tmp_path / "in_output.zarr" / "g").iterdir()) == [
        "a",
        "zarr.json",
    ]


def test_one_writer_at_a_time(tmp_path: Path, volume: Any, tiled_image: Any) -> None:
    first = WriteTilesZarr()
    first.write_batch(tmp_path, volume.tiles([0, 1]))
    with pytest.raises(StoreBusyError, match="wait or choose another name"):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    beside = tiled_image("YX", (20, 20), (16, 16), (4, 4), source="/data/in.zarr/g/b")
    with pytest.raises(StoreBusyError):
        WriteTilesZarr().write_batch(tmp_path, beside.tiles())
    first.write_batch(tmp_path, beside.tiles())
    with pytest.raises(StoreBusyError):
        WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles([0]))
    first.close(completed=False)
    WriteTilesZarr(overwrite=True).write_batch(tmp_path, volume.tiles())
    assert not list(tmp_path.glob(".*"))
    np.testing.assert_array_equal(stored(tmp_path, "b")[:], beside.expected)


def test_folders_below_the_common_parent_are_kept(tmp_path: Path, tiled_image: Any) -> None:
    images = [
        tiled_image("YX", (20, 33), (16, 16), (4, 4), source=source, data_idx=i, seed=i)
        for i, source in enumerate(["/data/x/in.zarr/a", "/data/y/in.zarr/a"])
    ]
    writer = WriteTilesZarr(source_base="/data")
    writer.write_batch(tmp_path, [tile for image in images for tile in image.tiles()])
    for image, folder in zip(images, "xy", strict=True):
        array = zarr.open_array(str(tmp_path / folder / "in_output.zarr" / "a"), mode="r")
        np.testing.assert_array_equal(array[:], image.expected)
    writer.set_source_base(None)
    writer.write_batch(tmp_path, tiled_image("YX", (9, 9), (16, 16), (4, 4)).tiles())
    assert (tmp_path / "array_output.zarr" / "0").is_dir()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "grey"}, "is no data type"), ({"compression": "zip"}, "is unknown: use one of")],
)
def test_settings_that_there_are_not(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WriteTilesZarr(**options)


def test_chunks_that_do_not_fit_write_nothing(tmp_path: Path, volume: Any) -> None:
    with pytest.raises(ValueError, match="chunks"):
        WriteTilesZarr(chunks=(0, 1)).open(volume.run(dirpath=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_says_what_is_saved_and_the_run_goes_on_later(
    tmp_path: Path, tiled_image: Any, hashes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiled_image("TYX", (2, 61, 47), (24, 24), (8, 8), source=SOURCE)
    options: dict[str, Any] = {"dtype": "uint8", "chunks": (20, 30)}
    run_into(tmp_path / "whole", image, **options)
    out = tmp_path / "parts"
    original = LocalStore.set
    writes = 0

    async def full(self: LocalStore, key: str, value: Any) -> None:
        nonlocal writes
        writes += "/c/" in key and "ledger" not in key
        if writes > 9:
            raise OSError(28, "No space left on device")
        await original(self, key, value)

    writer = WriteTilesZarr(**options)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", full)
        writer.open(image.run(dirpath=out))
        with pytest.raises(OSError, match=r"no space left on .*a: \d+ tiles are saved") as caught:
            writer.write_batch(out, image.tiles())
        assert "\n" not in str(caught.value)
        with pytest.raises(OSError, match="no space left"):
            writer.close(completed=False)
    left = writer.stored_run(out, SOURCE)
    assert left is not None
    assert f" {len(left.done)} tiles are saved" in str(caught.value)
    assert 0 < len(left.done) < image.n_tiles
    done = bytearray(image.n_tiles)
    for tile in left.done:
        done[tile] = 1
    writer.open(image.run(dirpath=out, resume=True, done=done))
    for tile in set(range(image.n_tiles)) - set(left.done):
        writer.write_batch(out, [image.tile(tile)])
    writer.close(completed=True)
    assert hashes(out) == hashes(tmp_path / "whole")


WORK = """
image = TiledImage("TYX", (3, 61, 47), (24, 24), (8, 8), source="/data/in.zarr/g/a")
writer = WriteTilesZarr(chunks=(20, 30), dtype="uint8")
resume = writer.stored_run(path, image.source) is not None
writer.open(image.run(dirpath=path, resume=resume))
for tile in image.tiles():
    writer.write_batch(path, [tile])
"""


@pytest.mark.slow
def test_runs_killed_in_the_middle_of_a_write_go_on_to_the_same_bytes(
    tmp_path: Path, tiled_image: Any, hashes: Any
) -> None:
    image = tiled_image("TYX", (3, 61, 47), (24, 24), (8, 8), source=SOURCE)
    options: dict[str, Any] = {"dtype": "uint8", "chunks": (20, 30)}
    run_into(tmp_path / "whole", image, **options)
    out = tmp_path / "killed"
    for n_writes in (1, 2, 3, 4, 17, 26):
        die_at_write(WORK, out, n_writes)
        assert any(out.rglob("*.partial"))
    left = WriteTilesZarr().stored_run(out, SOURCE)
    assert left is not None
    assert 0 < len(left.done) < image.n_tiles
    writer = WriteTilesZarr(**options)
    writer.open(image.run(dirpath=out, resume=True))
    writer.write_batch(out, image.tiles())
    writer.close(completed=True)
    assert hashes(out) == hashes(tmp_path / "whole")
