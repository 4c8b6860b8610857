from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore

from napari_tessera.writing import read_unfinished
from napari_tessera.writing.places import heartbeat
from napari_tessera.writing.places.lock import StoreBusyError
from napari_tessera.writing.stored.image_run import OmeImageRun
from napari_tessera.writing.stored.image_store import ImageOptions

from .writing_images import check_levels, write


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
    with pytest.raises(FileExistsError, match="resume it"):
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
    with pytest.raises(FileExistsError, match="overwrite it"):
        write(path, image)


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
    with pytest.raises(ValueError, match="what it says of its run was changed"):
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


@pytest.mark.parametrize("shape", [(600, 80), (700, 90)])
def test_an_image_of_another_size_is_not_gone_on_with(
    tmp_path: Path, tiled_image: Any, shape: tuple[int, int]
) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    path = tmp_path / "x.ome.zarr"
    write(path, image, order=[0])
    zarr.open_array(path / "0").resize(shape)
    with pytest.raises(ValueError, match=rf"something else changed it \(shape \({shape[0]}, "):
        write(path, image, resume=True)


def test_what_another_run_took_over_is_left_as_it_is(
    tiled_image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiled_image("YX", (600, 90), (128, 90), (0, 0))
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", -1.0)
    for at in ("next batch", "flush", "close"):
        store = MemoryStore()
        slow = OmeImageRun(store, image.run())
        slow.add([image.tile(0)])
        with monkeypatch.context() as later:
            # it stood still for longer than any other waits
            later.setattr(heartbeat.Heartbeat, "_is_stale", lambda self, note: True)
            write(store, image, overwrite=True)
        there = dict(store._store_dict)
        with pytest.raises(StoreBusyError, match="was taken over by another run, or removed"):
            {
                "next batch": lambda run=slow: run.add([image.tile(1)]),
                "flush": slow.flush,
                "close": lambda run=slow: run.close(False),
            }[at]()
        slow.close(False)
        assert store._store_dict == there
        stored = read_unfinished(store)
        assert stored is not None
        assert stored.completed


def test_attributes_that_somebody_sets_meanwhile_stay(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    for version in ("0.5", "0.4"):
        path = tmp_path / f"{version}.ome.zarr"
        writer = OmeImageRun(path, image.run(), options=ImageOptions(version))
        writer.add(image.tiles())
        zarr.open_group(path, mode="r+").attrs["patient"] = 7
        writer.close(completed=True)
        attributes = zarr.open_group(path, mode="r").attrs.asdict()
        assert attributes["patient"] == 7
        assert attributes["napari_tessera"]["state"] == "finished"


def test_another_data_type_is_not_written_into_what_is_there(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    path = tmp_path / "a.ome.zarr"
    write(path, image, order=[0], output_dtype=np.dtype("uint16"))
    with pytest.raises(ValueError, match="it is uint16, uint8 is asked for; ask for the same"):
        write(path, image, resume=True, output_dtype=np.dtype("uint8"))
    write(path, image, resume=True, output_dtype=np.dtype(">u2"))


@pytest.mark.parametrize("kind", ["folder", "store"])
def test_a_run_that_was_begun_elsewhere_makes_nothing(
    tmp_path: Path, tiled_image: Any, kind: str
) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    where: Any = tmp_path / "a.ome.zarr" if kind == "folder" else MemoryStore()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"2 tiles of this run are done in another place"):
            OmeImageRun(where, image.run(resume=True, done=bytearray([1, 0, 1, 0])))
    assert list(tmp_path.iterdir()) == []
    assert kind == "folder" or not where._store_dict


def where_of(store: Any) -> tuple[Any, ...]:
    return (store.root,) if isinstance(store, LocalStore) else (store._store_dict,)


@pytest.mark.parametrize("kind", ["folder", "store"])
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_run_killed_while_its_group_was_made_is_begun_anew(
    tmp_path: Path, tiled_image: Any, kind: str, version: str
) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    base: Any = LocalStore if kind == "folder" else MemoryStore
    where = base(tmp_path / "a.ome.zarr") if kind == "folder" else base()

    async def killed(self: Any, key: str, value: Any) -> None:
        if key == ".zattrs":
            raise RuntimeError("killed")
        await base.set(self, key, value)

    dying = type("Dying", (base,), {"set": killed})(*where_of(where))
    with pytest.raises(RuntimeError, match="killed"):
        OmeImageRun(dying, image.run(), options=ImageOptions("0.4"))
    assert read_unfinished(where) is None
    write(where, image, resume=True, options=ImageOptions(version))
    group = zarr.open_group(where, mode="r", use_consolidated=False)
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    check_levels(group, [(60, 50)], image.expected)
    assert sorted(group) == ["0"]


def test_what_was_damaged_is_told_in_one_line(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled_image("YX", (60, 50), (30, 30), (0, 0))
    path = tmp_path / "a.ome.zarr"
    write(path, image, order=[0])
    group = zarr.open_group(path, mode="r+")
    about: Any = group.attrs["napari_tessera"]
    group.attrs["napari_tessera"] = {**about, "copied_channels": [0, 99]}
    with pytest.raises(ValueError, match=r"something else changed it \(copied_channels \[0, 99"):
        write(path, image, resume=True)
    (path / "0" / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match="something else changed it") as caught:
        write(path, image, resume=True)
    assert "\n" not in str(caught.value)
