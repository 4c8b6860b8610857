from __future__ import annotations

import pytest

from napari_tessera.metadata import ImageMetadata
from napari_tessera.region import Region
from napari_tessera.writing.region_metadata import region_metadata

METADATA = ImageMetadata(
    "TCYX",
    scale=(2.0, 7.0, 0.5, 0.25),
    units=("second", None, "micrometer", "micrometer"),
    translation=(1.0, 3.0, 10.0, 0.0),
    channel_names=("DAPI", "GFP", "RFP"),
)


def test_a_part_starts_where_it_lies() -> None:
    region = Region.from_selection(
        "TCYX", (9, 3, 20, 20), {"T": [1, 4, 7], "C": [0, 2], "Y": slice(4, 9)}
    )
    part = region_metadata(METADATA, region)
    assert part.axes == "TCYX"
    assert part.scale == (6.0, 1.0, 0.5, 0.25)
    assert part.translation == (3.0, 0.0, 12.0, 0.0)
    assert part.units == METADATA.units
    assert part.channel_names == ("DAPI", "RFP")


@pytest.mark.parametrize("axes", ["CXYT", "XYTC"])
def test_the_order_is_the_regions(axes: str) -> None:
    sizes = {"T": 9, "C": 3, "Y": 20, "X": 20}
    region = Region.from_selection(axes, [sizes[letter] for letter in axes], {"T": [0, 1, 5]})
    part = region_metadata(METADATA, region)
    assert [part.along(letter) for letter in "TYX"] == [
        (2.0, "second", 1.0),
        (0.5, "micrometer", 10.0),
        (0.25, "micrometer", 0.0),
    ]


def test_channels_that_a_model_made_have_no_names() -> None:
    region = Region.from_selection("TCYX", (9, 2, 20, 20))
    assert region_metadata(METADATA, region).channel_names is None


def test_of_nothing_nothing_is_known() -> None:
    region = Region.from_selection("YX", (20, 20))
    assert region_metadata(ImageMetadata("YX"), region) == ImageMetadata("YX")
    part = region_metadata(
        ImageMetadata("YX"), Region.from_selection("YX", (20, 20), {"Y": slice(3, 9)})
    )
    assert (part.scale, part.units, part.translation) == ((1.0, 1.0), None, (3.0, 0.0))
