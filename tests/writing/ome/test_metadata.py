from __future__ import annotations

from typing import Any

import pytest
from yaozarrs import v04, v05, validate_ome_object

from napari_tessera.metadata import ImageMetadata
from napari_tessera.writing.ome.metadata import (
    check_version,
    image_attributes,
    n_levels,
    stored_image,
    with_omero,
    zarr_format,
)

MODELS: dict[Any, Any] = {"0.5": v05, "0.4": v04}


def valid_image(attributes: dict[str, Any], version: str) -> Any:
    """The attributes as OME's own model of the version has them."""
    return validate_ome_object(dict(stored_image(attributes)), MODELS[version].Image)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TCZYX", "TZYX"])
def test_metadata_is_valid(axes: str, version: Any) -> None:
    meta = ImageMetadata(
        axes,
        scale=tuple(0.5 for _ in axes),
        units=tuple("micron" if letter in "ZYX" else "s" for letter in axes),
        translation=tuple(3.0 for _ in axes),
    )
    attributes = image_attributes(meta, "cells", version=version)
    assert list(attributes) == (["ome"] if version == "0.5" else ["multiscales"])
    multiscale = valid_image(attributes, version).multiscales[0]
    assert multiscale.name == "cells"
    assert multiscale.type is None
    assert [axis.name for axis in multiscale.axes] == [letter.lower() for letter in axes]
    units = {axis.name: getattr(axis, "unit", None) for axis in multiscale.axes}
    assert units["y"] == "micrometer"
    assert units.get("t", "second") == "second"
    dataset = multiscale.datasets[0]
    assert dataset.path == "0"
    scale, translation = dataset.coordinateTransformations
    assert scale.scale == [0.5] * len(axes)
    assert translation.translation == [3.0] * len(axes)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_each_level_lies_where_its_pixels_have_their_middle(version: Any) -> None:
    meta = ImageMetadata("TYX", scale=(2.0, 0.5, 0.25), translation=(1.0, 0.0, 10.0))
    attributes = image_attributes(
        meta, "cells", version=version, factors=[(1, 1, 1), (1, 2, 2), (1, 4, 4)]
    )
    assert n_levels(attributes) == 3
    multiscale = valid_image(attributes, version).multiscales[0]
    assert multiscale.type == "mean"
    assert [dataset.path for dataset in multiscale.datasets] == ["0", "1", "2"]
    # pixels 0 to 3 of 0.5 µm: the middle of their mean lies at 0.75 µm
    scale, translation = multiscale.datasets[2].coordinateTransformations
    assert scale.scale == [2.0, 2.0, 1.0]
    assert translation.translation == [1.0, 0.75, 10.375]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_what_is_unknown_is_left_out(version: Any) -> None:
    attributes = image_attributes(
        ImageMetadata("YX", units=("pixel", None)), "cells", version=version
    )
    multiscale = stored_image(attributes)["multiscales"][0]
    assert all("unit" not in axis for axis in multiscale["axes"])
    assert multiscale["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0]}
    ]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_channels_that_come_later_change_nothing_else(version: Any) -> None:
    meta = ImageMetadata("CYX", channel_names=("DAPI",))
    attributes = image_attributes(meta, "cells", version=version)
    omero = {
        "channels": [
            {
                "label": "DAPI",
                "color": "FFFFFF",
                "active": True,
                "window": {"min": 0.0, "start": 1.0, "end": 2.0, "max": 3.0},
            }
        ]
    }
    later = {**attributes, **with_omero(attributes, omero)}
    assert later == image_attributes(meta, "cells", version=version, omero=omero)
    assert valid_image(later, version).omero.channels[0].label == "DAPI"


def test_versions_that_are_not_written_are_refused() -> None:
    assert [zarr_format(check_version(version)) for version in ("0.5", "0.4")] == [3, 2]
    with pytest.raises(ValueError, match=r"OME-Zarr '0\.3' is not written: use 0\.5 or 0\.4"):
        check_version("0.3")


def test_attributes_that_hold_no_image_give_none() -> None:
    assert stored_image({"ome": "no mapping"}) == {}
