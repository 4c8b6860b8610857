"""What groups are listed with that are not one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zarr

from napari_tessera.stacks import open_stack

from .zarr_files import ome_image, random_image

ONE = random_image(1, 1, 8, 8)


def listed(path: Path) -> str:
    """What the error says that a group holds."""
    with pytest.raises(ValueError) as error:
        open_stack(path)
    message = str(error.value)
    assert "\n" not in message
    return message.partition("; ")[2]


def attributes(version: str, described: dict[str, Any]) -> dict[str, Any]:
    return {"ome": {"version": version, **described}} if version == "0.5" else described


def write_plate(path: Path, version: str) -> None:
    """Wells B/2 and B/10 with two images each; C/1 was never imaged, B/10/1 is lost."""
    zarr_format: Any = 3 if version == "0.5" else 2
    wells = [{"path": path} for path in ("B/10", "B/2", "C/1")]
    plate = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    plate.attrs.update(attributes(version, {"plate": {"wells": wells}}))
    for well in ("B/10", "B/2"):
        images = {"images": [{"path": "0"}, {"path": "1"}]}
        plate.create_group(well).attrs.update(attributes(version, {"well": images}))
    for image in ("B/2/0", "B/2/1", "B/10/0"):
        ome_image(path / image, ONE, version)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_lists_its_images(version: str, tmp_path: Path) -> None:
    path = tmp_path / "plate.zarr"
    write_plate(path, version)
    with pytest.raises(ValueError, match="is a plate, not one image"):
        open_stack(path)
    assert listed(path) == (
        f"name one of its images, e.g. {path}/B/2/0; it holds B/2/0, B/2/1, B/10/0"
    )
    with pytest.raises(ValueError, match=r"is a well, not one image.*it holds 0, 1$"):
        open_stack(path / "B" / "2")
    with open_stack(path / "B/10/0") as stack:
        assert stack.source == f"{path}/B/10/0/0"
        assert stack.metadata.along("Y") == (1.0, "micrometer", 0.5)
    with pytest.raises(FileNotFoundError, match=r"plate\.zarr/B/10 has no '1'; .*holds 0$"):
        open_stack(path / "B/10/1")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("series", [None, ["10", "0", "7"]])
def test_a_container_lists_its_images(version: str, series: Any, tmp_path: Path) -> None:
    """In the order of its OME group, which also may name what is not there."""
    path = tmp_path / "all.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.attrs.update(attributes(version, {"bioformats2raw.layout": 3}))
    ome = group.create_group("OME")
    (path / "OME" / "METADATA.ome.xml").write_text("<OME/>")
    if series:
        ome.attrs.update(attributes(version, {"series": series}))
    for name in ("0", "1", "10"):
        ome_image(path / name, ONE, version)
    with pytest.raises(ValueError, match="is a bioformats2raw container, not one image"):
        open_stack(path)
    assert listed(path).endswith("it holds 10, 0" if series else "it holds 0, 1, 10")
    with open_stack(path / "10") as stack:
        assert stack.original_axes == "TCYX"


def test_labels_are_no_images_beside_theirs(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    for name in ("cells", "cells/labels/nuclei", "more"):
        ome_image(path / name, ONE, "0.5")
    zarr.open_group(path, mode="a")
    zarr.open_group(path / "cells" / "labels", mode="a").attrs["ome"] = {"labels": ["nuclei"]}
    assert listed(path).endswith("it holds cells, more")
    assert listed(path / "cells" / "labels").endswith("it holds nuclei")
    with open_stack(path / "cells" / "labels" / "nuclei") as stack:
        assert stack.original_axes == "TCYX"


def test_a_group_of_many_lists_some(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(ValueError, match="is a group, not one image; it holds no image"):
        open_stack(group)
    for number in range(12):
        group.create_array(f"a{number:02}", shape=(4, 4), dtype="u1")
    with pytest.raises(ValueError, match=r"it holds a00, .*, a07, …$"):
        open_stack(group)


def test_the_one_array_of_a_group(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("cells", shape=(4, 4), dtype="u1")
    with open_stack(group) as stack:
        assert stack.source == str(tmp_path / "a.zarr" / "cells")
    group.create_group("notes")
    assert listed(tmp_path / "a.zarr").endswith("it holds cells")


@pytest.mark.parametrize(
    "plate",
    [
        {},
        {"wells": None},
        {"wells": "B/2"},
        {"wells": [None, 3, {"row": 1}, {"path": None}, {"path": []}]},
        {"wells": [{"path": "../other.zarr/B/2"}, {"path": "/"}, {"path": "B/./2"}, {"path": ""}]},
    ],
)
def test_a_plate_whose_wells_make_no_sense(plate: Any, tmp_path: Path) -> None:
    write_plate(tmp_path / "other.zarr", "0.4")
    zarr.open_group(tmp_path / "a.zarr", mode="w").attrs["ome"] = {"plate": plate}
    assert listed(tmp_path / "a.zarr") == "it holds no image"


@pytest.mark.parametrize("described", [{"plate": []}, {"well": 3}, {"plate": None}])
def test_what_is_no_plate(described: Any, tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w").attrs["ome"] = described
    with pytest.raises(ValueError, match="is a group, not one image; it holds no image"):
        open_stack(tmp_path / "a.zarr")
