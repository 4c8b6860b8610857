from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from threading import Event

import numpy as np
import pytest
import tifffile
import zarr
from tests.prediction.several.folders import SETTINGS, blur, noise, plate, tiff_folder

from napari_tessera import open_stack
from napari_tessera.prediction.several import Found, find_images, predict_files


def listed(images: list[Found]) -> list[tuple[str, str, str]]:
    """Place, axes and problem."""
    return [(str(i.relative), i.axes, i.problem) for i in images]


def test_a_folder_is_searched_in_natural_order_with_the_folders_in_it(tmp_path: Path) -> None:
    folder = tiff_folder(tmp_path)
    told: list[Found] = []
    images = find_images(folder, found=told.append)
    assert told == images
    assert [str(i.relative) for i in images] == [
        "a1.tif",
        "a2.tif",
        "a10.ome.tif",
        "broken.tif",
        "cut.tif",
        "notes.txt",
        "day2/a1.tif",
        "day2/b.npy",
    ]
    by_name = {str(i.relative): i for i in images}
    assert (by_name["a2.tif"].axes, by_name["a2.tif"].shape) == ("TYX", (2, 70, 90))
    assert by_name["a2.tif"].n_pixels == 2 * 70 * 90
    assert by_name["a10.ome.tif"].axes == "ZYX"
    assert by_name["day2/b.npy"].dtype == "uint16"
    assert by_name["notes.txt"].problem == "no image that can be opened"
    assert not by_name["notes.txt"].damaged
    broken = by_name["broken.tif"]
    assert broken.damaged
    assert "broken.tif" in broken.problem
    assert "\n" not in broken.problem
    assert broken.n_pixels == 0


def test_files_that_are_named_and_axes_for_all(tmp_path: Path) -> None:
    folder = tiff_folder(tmp_path)
    files = [folder / "a2.tif", folder / "a1.tif", folder / "a2.tif"]
    images = find_images([str(f) for f in files])
    assert listed(images) == [("a2.tif", "TYX", ""), ("a1.tif", "YX", "")]
    (deep,) = find_images(folder / "a10.ome.tif", axes="TYX")
    assert deep.axes == "TYX"
    (wrong,) = find_images(folder / "a1.tif", axes="TYX")
    assert wrong.damaged
    assert "TYX" in wrong.problem
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        find_images(tmp_path / "nowhere")


def test_zarr_images_plates_and_groups(tmp_path: Path) -> None:
    plate(tmp_path / "in" / "screen.ome.zarr")
    zarr.create_array(tmp_path / "in" / "plain.zarr", data=noise((40, 50)))
    zarr.open_group(tmp_path / "in" / "empty.zarr", mode="w")
    images = find_images(tmp_path / "in")
    fields = [i for i in images if i.plate]
    assert [i.inside for i in fields] == [
        "B/03/0",
        "B/03/1",
        "B/10/0",
        "B/10/1",
        "C/03/0",
        "C/03/1",
    ]
    assert {i.plate for i in fields} == {str(tmp_path / "in" / "screen.ome.zarr")}
    assert {(i.axes, i.shape) for i in fields} == {("CYX", (2, 48, 56))}
    assert listed([i for i in images if not i.plate]) == [
        ("empty.zarr", "", "a Zarr group without an image"),
        ("plain.zarr", "YX", ""),
    ]
    # what is named by itself
    (well, other) = find_images(tmp_path / "in" / "screen.ome.zarr" / "B" / "10")
    assert (well.inside, other.inside, well.plate) == ("0", "1", "")


def test_a_damaged_zarr_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "in" / "odd.zarr").mkdir(parents=True)
    (tmp_path / "in" / "odd.zarr" / "zarr.json").write_text("{")
    (odd,) = find_images(tmp_path / "in")
    assert odd.problem
    assert "\n" not in odd.problem


def test_the_files_of_one_ome_tiff_are_one_image(tmp_path: Path) -> None:
    names = ["set_c0.ome.tif", "set_c1.ome.tif"]
    described = (
        '<?xml version="1.0" encoding="UTF-8"?><OME '
        'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
        'ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="50" SizeY="40" SizeC="2" '
        'SizeZ="1" SizeT="1">'
        + "".join(
            f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1">'
            f'<UUID FileName="{name}">urn:uuid:00000000-0000-0000-0000-00000000000{c}</UUID>'
            "</TiffData>"
            for c, name in enumerate(names)
        )
        + "</Pixels></Image></OME>"
    )
    for c, name in enumerate(names):
        own = described.replace(
            "<OME ", f'<OME UUID="urn:uuid:00000000-0000-0000-0000-00000000000{c}" ', 1
        )
        tifffile.imwrite(tmp_path / name, noise((40, 50), c), description=own, metadata=None)
    with open_stack(tmp_path / names[0]) as stack:
        assert stack.original_data_shape == (2, 40, 50)
    first, second = find_images(tmp_path)
    assert first.axes == "CYX"
    assert second.problem == "part of set_c0.ome.tif"


def test_results_are_not_taken_for_images(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", noise((40, 50)))
    model = blur()
    for form in ("ome-zarr", "tiff", "npy"):
        predict_files(folder, folder, model, format=form, **SETTINGS)
    found = {str(i.relative): i.problem for i in find_images(folder)}
    assert found["a.tif"] == ""
    ours = "a result of napari-tessera"
    assert found["a_denoised.ome.zarr"] == ours
    # a report goes on naming the results of those before
    assert found["a_denoised.tif"] == ours
    assert found["a_denoised.npy"] == ours
    assert found["report.json"] == ours
    # nor is the output folder looked into
    assert [str(i.relative) for i in find_images(tmp_path, leave_out=folder)] == []


def test_a_folder_that_cannot_be_looked_into_is_told_of(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise((8, 9)))
    (tmp_path / "day2").mkdir()
    # it goes away after it was listed
    images = find_images(tmp_path, found=lambda image: rmtree(tmp_path / "day2", True))
    assert listed(images) == [
        ("a.npy", "YX", ""),
        ("day2", "", "cannot be read: No such file or directory"),
    ]


def test_a_home_of_nobody_is_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="~nobody-of-that-name/in does not exist"):
        find_images("~nobody-of-that-name/in")
    assert find_images(tmp_path, leave_out="~nobody-of-that-name") == []


def test_looking_can_be_stopped(tmp_path: Path) -> None:
    folder = tiff_folder(tmp_path)
    cancel = Event()
    images = find_images(folder, found=lambda image: cancel.set(), cancel=cancel)
    assert len(images) == 1


def test_files_that_cannot_be_read_do_not_end_it(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise((8, 9)))
    (tmp_path / "gone.tif").symlink_to(tmp_path / "nothing.tif")
    (tmp_path / "empty.tif").touch()
    found = {str(i.relative): i.problem for i in find_images(tmp_path)}
    assert found["a.npy"] == ""
    assert found["empty.tif"] == "empty (0 bytes)"
    assert "cannot be read" in found["gone.tif"]
