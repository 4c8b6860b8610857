"""Runs of a real cluster of processes: the same bytes as those of one process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import zarr
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.prediction.cluster.model_plugin import model_plugin_name
from napari_tessera.prediction.cluster.parcels import parcels_of
from napari_tessera.prediction.cluster.run import run_on_cluster
from napari_tessera.prediction.saving import SaveOptions
from napari_tessera.writing import read_unfinished

from .scenes import SETTINGS, left_behind, one_machine, write_image, write_model


def held_tasks(client: Any) -> int:
    # other tests of this cluster have tasks of their own there
    keys = client.run_on_scheduler(lambda dask_scheduler: list(map(str, dask_scheduler.tasks)))
    return sum(key.startswith("napari-tessera") for key in keys)


def plugins(client: Any) -> list[str]:
    there = client.run(lambda dask_worker: list(dask_worker.plugins))
    return [name for names in there.values() for name in names if name.startswith("napari")]


def test_bytes_are_those_of_one_process(
    client: Any, image: Path, model: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    seen: list[Progress] = []
    written: list[Any] = []
    out = predict_to_disk(
        image,
        model,
        tmp_path / "a.ome.zarr",
        client=client,
        progress=seen.append,
        written=written.append,
        **SETTINGS,
    )
    assert left_behind(out) == alone
    assert seen[-1].done == seen[-1].total == 6 * 4 * 5
    finished = [tile for each in seen for tile in each.finished]
    assert sorted(finished) == list(range(seen[-1].total))
    assert seen[-1].measured_tiles <= seen[-1].total
    assert seen[-1].running == ()
    assert written[0].shape == (6, 96, 128)
    assert held_tasks(client) == 0
    # the model stays for the next image, the run does not
    assert {name.rpartition("-")[0] for name in plugins(client)} == {"napari-tessera-model"}


def test_model_is_sent_once_for_all_runs(client: Any, image: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "own.pt", seed=9)
    plan = plan_prediction(image, model, **{k: v for k, v in SETTINGS.items() if k != "chunks"})
    for name in ("a", "b"):
        predict_to_disk(image, model, tmp_path / f"{name}.ome.zarr", client=client, plan=plan)
    _, (parcel,) = parcels_of(load_model(model))
    own = model_plugin_name(parcel.sha256)
    loaded = client.run(
        lambda dask_worker: [
            (len(p._loaded), sorted(p._users))
            for name, p in dask_worker.plugins.items()
            if name == own
        ]
    )
    assert list(loaded.values()) == [[(1, [])]] * 2


@pytest.mark.parametrize("first", ["cluster", "one process"])
def test_resume_crosses_over(
    client: Any, first: str, image: Path, model: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    out, stop = tmp_path / "a.ome.zarr", Event()
    asked: list[int] = []

    def after_some(progress: Progress) -> None:
        asked.append(progress.done)
        if progress.done >= 20:
            stop.set()

    clients = [client, None] if first == "cluster" else [None, client]
    predict_to_disk(
        image, model, out, client=clients[0], progress=after_some, cancel=stop, **SETTINGS
    )
    stored = read_unfinished(out)
    assert stored is not None
    assert stored.state == "stopped"
    assert not stored.completed
    held = held_tasks(client)
    assert held == 0
    assert all("run" not in name for name in plugins(client))
    predict_to_disk(image, model, out, client=clients[1], resume=True, **SETTINGS)
    assert left_behind(out) == alone
    # a run that is finished is gone on with at once, and told like any other
    told: list[Progress] = []
    predict_to_disk(image, model, out, client=client, resume=True, progress=told.append, **SETTINGS)
    assert left_behind(out) == alone
    assert [(each.done, each.pixels) for each in told] == [(told[0].total, 0)]


def test_cancel_before_the_first_block(
    client: Any, image: Path, model: Path, tmp_path: Path
) -> None:
    stop = Event()
    stop.set()
    out = tmp_path / "a.ome.zarr"
    told: list[Progress] = []
    predict_to_disk(image, model, out, client=client, cancel=stop, progress=told.append, **SETTINGS)
    assert not out.exists()
    # who asked is told how far it is, though nothing was begun
    assert [each.done for each in told] == [0]


def test_two_runs_take_turns(
    client: Any, image: Path, model: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    outs = [tmp_path / f"{n}.ome.zarr" for n in range(2)]
    # loaded once: Python 3.11 does not parse source in two threads at once
    loaded = load_model(model)
    settings = {k: v for k, v in SETTINGS.items() if k != "chunks"}
    plan = plan_prediction(image, loaded, **settings)
    errors: list[BaseException] = []

    def run(out: Path) -> None:
        try:
            predict_to_disk(image, loaded, out, client=client, plan=plan, chunks=(32, 32))
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=run, args=(out,)) for out in outs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [left_behind(out) == alone for out in outs] == [True, True]


def test_same_place_twice_is_refused(client: Any, image: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.ome.zarr"
    predict_to_disk(image, model, out, client=client, **SETTINGS)
    with pytest.raises(FileExistsError, match=r"a\.ome\.zarr"):
        predict_to_disk(image, model, out, client=client, **SETTINGS)


def test_each_channel_its_own_model(client: Any, folder: Path, tmp_path: Path) -> None:
    image = write_image(tmp_path / "two.zarr", (2, 64, 64), "cyx")
    models = {
        0: write_model(tmp_path / "zero.pt", seed=1),
        1: write_model(tmp_path / "one.pt", seed=2),
    }
    for name, own in (("alone", None), ("shared", client)):
        predict_to_disk(image, models, tmp_path / f"{name}.ome.zarr", client=own, **SETTINGS)
    alone, shared = (left_behind(tmp_path / f"{name}.ome.zarr") for name in ("alone", "shared"))
    assert alone == shared


def test_copied_channels_and_chosen_region(client: Any, model: Path, tmp_path: Path) -> None:
    image = write_image(tmp_path / "two.zarr", (2, 96, 64), "cyx")
    settings = {**SETTINGS, "region": {"C": [1], "Y": slice(10, 90)}, "copy_channels": True}
    for name, own in (("alone", None), ("shared", client)):
        predict_to_disk(image, model, tmp_path / f"{name}.ome.zarr", client=own, **settings)
    alone, shared = (left_behind(tmp_path / f"{name}.ome.zarr") for name in ("alone", "shared"))
    assert alone == shared


def test_what_is_looked_at_comes_first(
    client: Any, image: Path, model: Path, tmp_path: Path
) -> None:
    class Watch:
        def __init__(self) -> None:
            self.done: list[int] = []

        def opened(self, store: Any) -> None:
            self.cut = store.cut

        def block_done(self, number: int) -> None:
            self.done.append(number)

        def first(self) -> dict[str, Any]:
            return {"T": 5}

        def worker_lost(self, worker: str, *, expected: bool) -> None:
            raise AssertionError(f"{worker} is gone")

    watch = Watch()
    with open_stack(image) as stack:
        settings = {k: v for k, v in SETTINGS.items() if k != "chunks"}
        result = run_on_cluster(
            stack,
            model,
            SaveOptions().of(tmp_path / "a.ome.zarr"),
            client=client,
            settings=settings,
            chunks=(32, 32),
            watch=watch,
        )
    assert result.completed
    assert sorted(watch.done) == list(range(watch.cut.n_blocks))
    windows = {number: watch.cut.window(number)[0] for number in watch.done}
    looked_at = {number for number, time in windows.items() if time.start <= 5 < time.stop}
    handed_out_first = set(watch.done[: max(8, len(looked_at))])
    assert looked_at <= handed_out_first


def test_damaged_block_is_told_and_the_rest_is_done(
    client: Any, folder: Path, model: Path, tmp_path: Path
) -> None:
    shape = (20, 64, 64)
    image = write_image(tmp_path / "image.zarr", shape)
    chunk = image / "0" / "c" / "3" / "0" / "0"
    chunk.write_bytes(b"no chunk")
    with open_stack(image) as stack:
        whole = open_stack(write_image(tmp_path / "whole.zarr", shape))
        plan = plan_prediction(whole, model, **{k: v for k, v in SETTINGS.items() if k != "chunks"})
        whole.close()
        seen: list[Progress] = []
        result = run_on_cluster(
            stack,
            model,
            SaveOptions().of(tmp_path / "a.ome.zarr"),
            client=client,
            plan=plan,
            settings={},
            chunks=(32, 32),
            progress=seen.append,
        )
    assert not result.completed
    assert len(result.failed_blocks) == 1
    failed = result.failed_blocks[0]
    assert "image.zarr" in failed.message
    assert failed.tiles
    assert failed.worker.startswith("tcp://")
    assert result.n_done == result.total - len(failed.tiles)
    assert {tile for each in seen for tile in each.failed} == set(failed.tiles)
    stored = read_unfinished(tmp_path / "a.ome.zarr")
    assert stored is not None
    assert stored.state == "stopped"
    # mended, the run goes on and is the same
    shutil.rmtree(image / "0")
    shutil.copytree(tmp_path / "whole.zarr" / "0", image / "0")
    out = tmp_path / "a.ome.zarr"
    predict_to_disk(image, model, out, client=client, plan=plan, resume=True)
    assert (
        left_behind(out)["0/c/3/0/0"]
        == one_machine(tmp_path / "whole.zarr", model, tmp_path / "b.ome.zarr")["0/c/3/0/0"]
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda image, model: (np.zeros((64, 64), "f4"), model), "memory of this computer"),
        (lambda image, model: (image, nn.Conv2d(1, 1, 3, padding=1)), "is Python code"),
        (lambda image, model: (image, lambda x: x), "is Python code"),
    ],
)
def test_what_workers_cannot_have_is_refused(
    client: Any, make: Callable[..., Any], says: str, image: Path, model: Path, tmp_path: Path
) -> None:
    source, network = make(image, model)
    out = tmp_path / "a.ome.zarr"
    with pytest.raises(ValueError, match=says) as told:
        predict_to_disk(source, network, out, client=client, patch_size=32, overlaps=8)
    assert "\n" not in str(told.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.ome.tif", "write OME-Zarr, and OME-TIFF is one file"),
        ("a.npy", "one file"),
        ("a.ome.zarr.zip", "one file"),
        ("memory://a.ome.zarr", "in the memory of this one"),
    ],
)
def test_places_that_workers_cannot_share_are_refused(
    client: Any, name: str, says: str, image: Path, model: Path, tmp_path: Path
) -> None:
    where = name if "://" in name else tmp_path / name
    with pytest.raises((ValueError, OSError), match=says):
        predict_to_disk(image, model, where, client=client, **SETTINGS_WITHOUT_CHUNKS)


SETTINGS_WITHOUT_CHUNKS = {k: v for k, v in SETTINGS.items() if k != "chunks"}


def test_memory_store_is_refused(client: Any, image: Path, model: Path) -> None:
    with pytest.raises(ValueError, match="memory of this process"):
        predict_to_disk(image, model, zarr.storage.MemoryStore(), client=client)


def test_image_that_workers_do_not_see(client: Any, model: Path, tmp_path: Path) -> None:
    """A file that is open here and gone there: told of each worker, and nothing is written."""
    image = write_image(tmp_path / "image.zarr")
    from napari_tessera.prediction.cluster import run as run_module

    with open_stack(image) as stack, pytest.MonkeyPatch.context() as patch:
        real = run_module.image_place

        def then_gone(*args: Any) -> Any:
            place = real(*args)
            image.rename(tmp_path / "elsewhere.zarr")
            return place

        patch.setattr(run_module, "image_place", then_gone)
        with pytest.raises(OSError, match=r"no worker can take part: worker tcp://.*cannot open"):
            predict_to_disk(
                stack, load_model(model), tmp_path / "a.ome.zarr", client=client, **SETTINGS
            )
    assert not (tmp_path / "a.ome.zarr").exists()
