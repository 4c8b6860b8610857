"""What is at a place to save to, and in what a stored run differs from the settings."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from tests.widgets.conftest import Blur, make_plan, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import plan_prediction, predict_to_disk
from napari_tessera.stacks import ArrayStack
from napari_tessera.widgets.outline_stack import OutlineStack
from napari_tessera.widgets.place_report import (
    FINISHED,
    FIXED,
    FREE,
    OTHER_RUN,
    REPLACEABLE,
    RESUMABLE,
    WRITTEN,
    PlaceReport,
    look_at_place,
    offer_of,
)
from napari_tessera.widgets.plan_differences import differences
from napari_tessera.writing.files.formats import OME_TIFF, OME_ZARR
from napari_tessera.writing.places.lock import lock_store

IMAGE = noisy((3, 100, 100))
MODEL = Blur()


def outlined(**settings: Any) -> Any:
    """A plan as a look at settings makes it, without pixels."""
    model = load_model(MODEL, device="cpu")
    settings = {"patch_size": (64, 64), "normalization": "series", **settings}
    return plan_prediction(OutlineStack(ArrayStack(IMAGE, "ZYX")), model, **settings)


def run_to(path: Path, tiles: int | None = None) -> None:
    """Denoise into a store, up to some tiles or to the end."""
    cancel = threading.Event()

    def stop(progress: Any) -> None:
        if tiles is not None and progress.done >= tiles:
            cancel.set()

    predict_to_disk(
        ArrayStack(IMAGE, "ZYX"),
        load_model(MODEL, device="cpu"),
        path,
        patch_size=(64, 64),
        normalization="series",
        progress=stop,
        cancel=cancel,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cells.ome.zarr"


def test_an_unfinished_run_of_the_same_settings_can_be_resumed(place: Path) -> None:
    assert look_at_place(place, OME_ZARR, outlined()).kind == FREE
    run_to(place, 3)
    report = look_at_place(place, OME_ZARR, outlined())
    assert (report.kind, report.total) == (RESUMABLE, outlined().total_tiles)
    assert 3 <= report.done < report.total
    other = look_at_place(place, OME_ZARR, outlined(patch_size=(48, 48), normalization="none"))
    assert other.kind == OTHER_RUN
    assert "tile size 64×64 there, 48×48 now" in other.why
    assert other.plan["fingerprint_of"]["patch_size"] == [64, 64]
    image = load_model(Blur(), device="cpu")
    elsewhere = plan_prediction(OutlineStack(ArrayStack(IMAGE[:2], "ZYX")), image)
    assert look_at_place(place, OME_ZARR, elsewhere).plan == {}
    with lock_store(place):
        busy = look_at_place(place, OME_ZARR, outlined())
    assert busy.kind == WRITTEN
    assert busy.why.startswith("cells.ome.zarr is being written by another run")


def test_a_finished_run_and_what_is_not_ours_can_be_replaced(place: Path, tmp_path: Path) -> None:
    run_to(place)
    assert look_at_place(place, OME_ZARR, outlined()).kind == FINISHED
    other = tmp_path / "other.zarr"
    zarr.save_array(other, np.zeros((4, 4)))
    assert look_at_place(other, OME_ZARR, outlined()).kind == REPLACEABLE
    folder = tmp_path / "thesis.zarr"
    folder.mkdir()
    (folder / "chapter1.txt").write_text("…", encoding="utf-8")
    assert look_at_place(folder, OME_ZARR, outlined()).kind == FIXED


def test_a_file_is_replaced_and_a_folder_in_its_place_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    assert look_at_place(path, OME_TIFF, outlined()).kind == FREE
    path.write_bytes(b"")
    assert look_at_place(path, OME_TIFF, outlined()).kind == REPLACEABLE
    path.unlink()
    path.mkdir()
    assert look_at_place(path, OME_TIFF, outlined()).kind == FIXED


@pytest.mark.parametrize(
    ("kinds", "question", "resumable", "replaceable"),
    [
        ((FREE, FREE), "", False, True),
        ((FREE, RESUMABLE, FINISHED), "Exists: rename, Resume, or Overwrite", True, True),
        ((RESUMABLE, REPLACEABLE), "Exists: rename, or Overwrite", False, True),
        ((FINISHED, FINISHED), "Exists, and is finished: rename, or Overwrite", False, True),
        ((REPLACEABLE, FIXED), "it stays", False, False),
        ((FIXED, WRITTEN), "busy", False, False),
    ],
)
def test_what_stands_most_in_the_way_of_several_layers_is_told(
    kinds: tuple[str, ...], question: str, resumable: bool, replaceable: bool
) -> None:
    reports = [
        PlaceReport(Path(f"{i}.zarr"), kind, 1, 2, "busy", kept="it stays" if kind == FIXED else "")
        for i, kind in enumerate(kinds)
    ]
    offer = offer_of(reports)
    assert question in offer.question
    assert (offer.resumable, offer.replaceable) == (resumable, replaceable)
    assert bool(offer.question) == bool(question)


def test_differences_are_in_the_words_of_the_dock_and_not_too_many() -> None:
    plan = make_plan(IMAGE, "ZYX", patch_size=(64, 64), normalization="series")
    stored = json.loads(plan.to_json())
    assert differences(stored, plan, pixels=True) == ""
    changed = make_plan(
        IMAGE[:2], "TYX", patch_size=(32, 32), normalization="none", output_dtype="uint16"
    )
    told = differences(stored, changed, pixels=True)
    assert told.startswith("image size 3×100×100 there, 2×100×100 now; axes ZYX there, TYX now; ")
    assert told.endswith("more")
    brighter = make_plan(IMAGE + 1, "ZYX", patch_size=(64, 64), normalization="series")
    assert differences(stored, brighter, pixels=True) == "pixels of the image"
    assert differences(stored, brighter, pixels=False) == ""
    assert "version of the plan" in differences({}, plan, pixels=False) or differences(
        {}, plan, pixels=False
    ).endswith("more")


def test_a_plate_labels_and_what_a_layer_shows_are_never_replaced(tmp_path: Path) -> None:
    plate = tmp_path / "plate.zarr"
    zarr.create_group(plate, attributes={"ome": {"plate": {"wells": []}}})
    report = look_at_place(plate, OME_ZARR, outlined())
    assert (report.kind, offer_of([report]).replaceable) == (FIXED, False)
    assert (
        report.kept
        == "plate.zarr exists, and it is a Zarr group, but no image, so it stays: rename"
    )
    image = tmp_path / "cells.ome.zarr"
    run_to(image)
    shown = look_at_place(image, OME_ZARR, outlined(), "cells_denoised")
    assert (shown.kind, offer_of([shown]).replaceable) == (FINISHED, False)
    assert "is shown by the layer cells_denoised: rename, or remove" in offer_of([shown]).question
    (image / "notes.txt").write_text("mine")
    mine = look_at_place(image, OME_ZARR, outlined())
    assert "it holds more than an image: notes.txt, so it stays" in offer_of([mine]).question


def test_an_unfinished_run_that_is_kept_can_still_be_resumed(place: Path) -> None:
    run_to(place, 3)
    (place / "notes.txt").write_text("mine")
    offer = offer_of([look_at_place(place, OME_ZARR, outlined())])
    assert offer.question == "Exists: rename, or Resume"
    assert not offer.excludes("continue")
    assert not offer.excludes("ask")
    assert offer.excludes("overwrite")


def test_a_place_that_somebody_is_about_to_write_to_is_no_free_one(place: Path) -> None:
    with lock_store(place):
        report = look_at_place(place, OME_ZARR, outlined())
    assert (report.kind, place.exists()) == (WRITTEN, False)
