from __future__ import annotations

import pytest

from napari_tessera.metadata import ImageMetadata

KNOWN = ImageMetadata(
    "TCZYX",
    scale=(2.0, 1.0, 0.3, 0.1, 0.2),
    units=("second", None, "micrometer", "micrometer", "micrometer"),
    translation=(1.0, 0.0, 3.0, 4.0, 5.0),
    channel_names=("a", "b"),
)


def test_other_axes_keep_what_is_known_by_letter() -> None:
    other = KNOWN.with_axes("SZYX")
    assert other.scale == (1.0, 0.3, 0.1, 0.2)
    assert other.units == (None, "micrometer", "micrometer", "micrometer")
    assert other.translation == (0.0, 3.0, 4.0, 5.0)
    assert other.channel_names is None
    assert KNOWN.with_axes("YXC").channel_names == ("a", "b")


def test_an_axis_that_gets_another_letter_is_unknown() -> None:
    assert KNOWN.renamed("TCZYX") == KNOWN
    # Z is now what was time, not what was Z
    time_as_depth = KNOWN.renamed("ZCTYX")
    assert time_as_depth.scale == (1.0, 1.0, 1.0, 0.1, 0.2)
    assert time_as_depth.units == (None, None, None, "micrometer", "micrometer")
    assert time_as_depth.translation == (0.0, 0.0, 0.0, 4.0, 5.0)
    assert time_as_depth.channel_names == ("a", "b")
    assert KNOWN.renamed("CTZYX").channel_names is None
    with pytest.raises(ValueError, match="longer"):
        KNOWN.renamed("ZYX")


def test_what_is_not_known_stays_so() -> None:
    nothing = ImageMetadata("TYX").renamed("ZYX")
    assert nothing == ImageMetadata("ZYX")
    assert nothing.along("Z") == (1.0, None, 0.0)
