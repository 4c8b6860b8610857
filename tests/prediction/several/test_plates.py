"""Plates denoised: read again by libraries of others, and valid while it goes on."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr
from tests.prediction.several.folders import SETTINGS, blur, pixels_of, plate

from napari_tessera import predict
from napari_tessera.prediction.several import FilesProgress, find_images, predict_files
from napari_tessera.prediction.several.plates import ResultPlate

napari_get_reader = pytest.importorskip("napari_ome_zarr").napari_get_reader

WELLS = ("B/03", "B/10", "C/03")


@pytest.fixture(scope="module")
def model() -> Any:
    return blur()


def described(path: Path, name: str, version: str) -> dict[str, Any]:
    attributes = dict(zarr.open_group(path, mode="r").attrs)
    found: dict[str, Any] = (attributes["ome"] if version == "0.5" else attributes)[name]
    return found


@pytest.mark.parametrize("source_version", ["0.5", "0.4"])
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_plate_stays_a_plate(
    tmp_path: Path, model: Any, source_version: str, version: str
) -> None:
    source = plate(tmp_path / "in" / "screen.ome.zarr", version=source_version)
    out = tmp_path / "out"
    report = predict_files(tmp_path / "in", out, model, ome_version=version, **SETTINGS)
    assert report.summary == "6 of 6 images done"
    result = out / "screen_denoised.ome.zarr"
    yaozarrs.validate_zarr_store(str(result))
    before, after = (
        described(path, "plate", v) for path, v in ((source, source_version), (result, version))
    )
    for name in ("name", "rows", "columns", "wells", "field_count", "acquisitions"):
        assert after[name] == before[name], name
    assert described(result / "B/03", "well", version)["images"] == [
        {"path": "0", "acquisition": 1},
        {"path": "1"},
    ]
    for entry in report.entries:
        expected = predict(entry.source, model, **SETTINGS)
        assert np.array_equal(pixels_of(entry.output), expected)
    # the scale is that of the plate's own images
    image = zarr.open_group(result / "C/03/1", mode="r").attrs.asdict()
    multiscale = (image["ome"] if version == "0.5" else image)["multiscales"][0]
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 0.5, 0.5]


def test_napari_ome_zarr_reads_it(tmp_path: Path, model: Any) -> None:
    source = plate(tmp_path / "screen.ome.zarr")
    predict_files(source, tmp_path / "out", model, **SETTINGS)
    result = tmp_path / "out" / "screen_denoised.ome.zarr"
    opened = [napari_get_reader(str(path))(str(path)) for path in (source, result)]
    shapes = [np.asarray(layers[0][0][0]).shape for layers in opened]
    assert shapes[0] == shapes[1]
    one = np.asarray(opened[1][0][0][0])
    field = predict(str(source / "B/03/0"), model, **SETTINGS)
    # rows A to C, columns 03 and 10: B/03 lies in the second row of wells
    assert np.array_equal(one[..., 48 : 2 * 48, :56].squeeze(), field)


def test_a_real_plate(shared: Path, tmp_path: Path, model: Any) -> None:
    source = shared / "data/omezarr/single-plane-hcs.zarr"
    report = predict_files(source, tmp_path, model, **SETTINGS)
    assert report.summary == "2 of 2 images done"
    result = tmp_path / "single-plane-hcs_denoised.ome.zarr"
    yaozarrs.validate_zarr_store(str(result))
    wells = described(result, "plate", "0.5")["wells"]
    # in the order in which the source names them
    assert [well["path"] for well in wells] == ["E/08", "E/07"]
    assert pixels_of(result / "E/08/0").shape == (3, 256, 512)


@pytest.mark.parametrize("form", ["ome-tiff", "npy"])
def test_in_other_formats_it_becomes_a_folder(tmp_path: Path, model: Any, form: str) -> None:
    source = plate(tmp_path / "screen.ome.zarr", WELLS[:1])
    report = predict_files(source, tmp_path / "out", model, format=form, **SETTINGS)
    ending = {"ome-tiff": ".ome.tif", "npy": ".npy"}[form]
    names = sorted(p.name for p in (tmp_path / "out" / "screen").iterdir())
    assert names == [f"B_03_{n}_denoised{ending}" for n in (0, 1)]
    for entry in report.entries:
        assert np.array_equal(pixels_of(entry.output), predict(entry.source, model, **SETTINGS))


def test_a_plate_that_is_stopped_is_valid_and_goes_on(tmp_path: Path, model: Any) -> None:
    source = plate(tmp_path / "screen.ome.zarr")
    cancel = Event()

    def stop(progress: FilesProgress) -> None:
        if progress.number == 4 and progress.tiles is not None:
            cancel.set()

    images, out = find_images(source), tmp_path / "out"
    stopped = predict_files(images, out, model, cancel=cancel, progress=stop, **SETTINGS)
    assert [e.state for e in stopped.entries][:4] == ["done"] * 3 + ["stopped"]
    result = out / "screen_denoised.ome.zarr"
    yaozarrs.validate_zarr_store(str(result))
    assert [w["path"] for w in described(result, "plate", "0.5")["wells"]] == list(WELLS[:2])
    assert [i["path"] for i in described(result / "B/10", "well", "0.5")["images"]] == ["0"]
    # a new run finds what is there, and names what was done but not named before a kill
    group = zarr.open_group(result, mode="r+")
    del group.attrs["ome"]
    report = predict_files(source, out, model, **SETTINGS)
    assert [e.message for e in report.entries] == ["done before"] * 3 + [""] * 3
    yaozarrs.validate_zarr_store(str(result))
    assert [w["path"] for w in described(result, "plate", "0.5")["wells"]] == list(WELLS)


def test_what_is_no_plate_is_not_made_one(tmp_path: Path, model: Any) -> None:
    source = plate(tmp_path / "screen.ome.zarr", WELLS[:1])
    out = tmp_path / "out"
    zarr.create_array(out / "screen_denoised.ome.zarr", data=np.zeros((3, 4)))
    report = predict_files(source, out, model, **SETTINGS)
    assert [e.state for e in report.entries] == ["failed"] * 2
    assert "exists and is no plate of OME-Zarr 0.5" in report.entries[0].message
    old = plate(tmp_path / "old.ome.zarr", version="0.4")
    with pytest.raises(FileExistsError, match=r"no plate of OME-Zarr 0\.5"):
        ResultPlate(old, source)


def test_a_plate_that_says_little_gets_rows_and_columns_from_its_wells(
    tmp_path: Path, model: Any
) -> None:
    source = plate(tmp_path / "bare.zarr", ("B/10", "C/03"))
    zarr.open_group(source, mode="r+").attrs.update(
        {"ome": {"version": "0.5", "plate": {"wells": [{"path": "B/10"}, {"path": "C/03"}]}}}
    )
    predict_files(source, tmp_path / "out", model, **SETTINGS)
    result = tmp_path / "out" / "bare_denoised.ome.zarr"
    yaozarrs.validate_zarr_store(str(result))
    found = described(result, "plate", "0.5")
    assert found["name"] == "bare"
    assert [row["name"] for row in found["rows"]] == ["B", "C"]
    assert [(w["rowIndex"], w["columnIndex"]) for w in found["wells"]] == [(0, 0), (1, 1)]
