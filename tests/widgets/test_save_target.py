"""Where a run saves, where something may be there already."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.layers import Image
from tests.widgets.conftest import Blur, noisy

from napari_tessera.models import load_model
from napari_tessera.prediction import PlanError, predict_to_disk
from napari_tessera.widgets.origins import OriginBook
from napari_tessera.widgets.place_problem import BUSY, KEPT, MISSING, PlaceError
from napari_tessera.widgets.request import SaveTarget
from napari_tessera.widgets.save_target import ResolvedTarget, layer_showing, resolve_target
from napari_tessera.writing.files.formats import NPY, OME_TIFF, TIFF
from napari_tessera.writing.places.lock import lock_store


def resolve(path: Path, if_exists: str) -> ResolvedTarget:
    return resolve_target(path, SaveTarget(path, if_exists=if_exists))


def problem(path: Path, if_exists: str) -> str:
    with pytest.raises(PlanError) as error:
        resolve_target(path, SaveTarget(path, if_exists=if_exists))
    assert error.value.field == "save"
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "cells.ome.zarr"
    predict_to_disk(noisy((32, 32)), load_model(Blur(), device="cpu"), path)
    return path


@pytest.mark.parametrize("if_exists", ["ask", "rename", "continue", "overwrite"])
def test_a_free_place_is_taken_as_it_is(tmp_path: Path, if_exists: str) -> None:
    path = tmp_path / "cells.ome.zarr"
    assert resolve(path, if_exists) == ResolvedTarget(path)


def test_what_is_there_is_kept_unless_said_otherwise(ours: Path) -> None:
    assert problem(ours, "ask") == "cells.ome.zarr exists: rename, Resume, or Overwrite"
    assert resolve(ours, "overwrite") == ResolvedTarget(ours, overwrite=True)
    assert resolve(ours, "continue") == ResolvedTarget(ours, resume=True)


def test_renaming_takes_the_next_free_number(ours: Path) -> None:
    assert resolve(ours, "rename").path.name == "cells_1.ome.zarr"
    zarr.create_group(ours.with_name("cells_1.ome.zarr"))
    assert resolve(ours, "rename").path.name == "cells_2.ome.zarr"


def test_only_a_run_of_ours_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "other.zarr"
    zarr.save_array(path, np.zeros((4, 4)))
    assert "holds no run to resume" in problem(path, "continue")
    assert resolve(path, "overwrite").overwrite


def test_what_is_no_zarr_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "thesis.zarr"
    folder.mkdir()
    (folder / "chapter1.txt").write_text("…", encoding="utf-8")
    assert "it is no Zarr store, so it stays" in problem(folder, "overwrite")
    assert "holds no run to resume" in problem(folder, "continue")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert "does not exist" in problem(tmp_path / "no" / "cells.zarr", "ask")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "read-only" in problem(tmp_path / "cells.zarr", "ask")


def test_the_input_is_never_replaced(ours: Path) -> None:
    with pytest.raises(PlanError, match="holds the input"):
        resolve_target(ours, SaveTarget(ours, if_exists="overwrite"), str(ours))


@pytest.mark.parametrize(
    ("name", "known"), [("a.ome.tif", OME_TIFF), ("a.tif", TIFF), ("a.npy", NPY)]
)
def test_a_file_is_replaced_or_renamed_and_never_continued(
    tmp_path: Path, name: str, known: object
) -> None:
    path = tmp_path / name
    free = resolve(path, "ask")
    assert (free.file_format, free.while_running) == (known, False)
    path.write_bytes(b"")
    assert problem(path, "ask") == f"{name} exists: rename, or Overwrite"
    assert "no run to resume" in problem(path, "continue")
    assert resolve(path, "overwrite").overwrite
    assert resolve(path, "rename").path == tmp_path / name.replace("a", "a_1", 1)
    path.unlink()
    path.mkdir()
    assert "it is no file, so it stays: rename" in problem(path, "overwrite")


def test_a_store_that_somebody_writes_is_let_alone(ours: Path) -> None:
    with lock_store(ours):
        for answer in ("ask", "continue", "overwrite"):
            assert "cells.ome.zarr is being written by" in problem(ours, answer)
    assert resolve(ours, "overwrite").overwrite
    free = ours.with_name("free.ome.zarr")
    with lock_store(free), pytest.raises(PlaceError, match="is being written by") as error:
        resolve_target(free, SaveTarget(free))
    assert error.value.kind == BUSY


def test_what_is_wrong_with_a_place_has_a_kind(tmp_path: Path, ours: Path) -> None:
    for path, source, kind in (
        (tmp_path / "no" / "cells.zarr", None, MISSING),
        (ours, str(ours), KEPT),
        (tmp_path / f"{'n' * 300}.zarr", None, ""),
    ):
        with pytest.raises(PlaceError) as error:
            resolve_target(path, SaveTarget(path, if_exists="overwrite"), source)
        assert error.value.kind == kind
        assert "Errno" not in str(error.value)


def test_nothing_is_saved_within_another_store(ours: Path) -> None:
    for name in ("inside.ome.zarr", "0/inside.ome.tif"):
        assert f"would lie in the store {ours}" in problem(ours / name, "ask")


def test_a_plate_and_what_a_layer_shows_are_never_replaced(tmp_path: Path, ours: Path) -> None:
    plate = tmp_path / "plate.zarr"
    zarr.create_group(plate, attributes={"ome": {"plate": {"wells": []}}})
    assert "it is a Zarr group, but no image, so it stays: rename" in problem(plate, "overwrite")
    other = tmp_path / "other.ome.zarr"
    shown = Image(zarr.open_array(str(ours), path="0", mode="r"), name="cells_denoised")
    layers = OriginBook().all_of([shown, Image(np.zeros((4, 4)))])
    showing = partial(layer_showing, layers)
    assert (showing(ours), showing(other)) == ("cells_denoised", "")
    save = SaveTarget(ours, if_exists="overwrite")
    with pytest.raises(PlaceError, match="is shown by the layer cells_denoised: rename, or"):
        resolve_target(ours, save, shown_by=showing)
    assert resolve_target(ours, SaveTarget(ours, if_exists="continue"), shown_by=showing).resume
    assert resolve_target(ours, save, shown_by=partial(layer_showing, layers[1:])).overwrite
