"""What people are told of a plan before they run it."""

from __future__ import annotations

import numpy as np

from napari_tessera import open_stack, plan_prediction
from napari_tessera.prediction.advice import overlap_warnings

SIZES = ("ZYX", (60, 900, 900), (32, 128, 128))


def test_axes_that_are_short_of_overlap_stand_in_one_line() -> None:
    (line,) = overlap_warnings(*SIZES, (8, 16, 16), "net", (4, 26, 26), 3.14)
    assert line == (
        "overlaps Y 16 and X 16 are 8 px each side, less than the 26 px that the model looks "
        "around: expect seams of about 3.1 grey levels"
    )
    (line,) = overlap_warnings(*SIZES, (2, 16, 24), "net", (4, 26, 26))
    assert line == (
        "overlaps Z 2, Y 16 and X 24 are 1, 8 and 12 px each side, less than the 4, 26 and 26 px "
        "that the model looks around: expect seams"
    )
    (line,) = overlap_warnings(*SIZES, (8, 52, 24), "net", (4, 26, 26), 460.0)
    assert line == (
        "overlap X 24 is 12 px each side, less than the 26 px that the model looks around: expect "
        "seams of about 460 grey levels"
    )
    assert overlap_warnings(*SIZES, (8, 52, 52), "net", (4, 26, 26)) == []


def test_an_image_without_a_number_is_said_to_be_one() -> None:
    image = np.full((80, 90), np.nan, np.float32)
    told = plan_prediction(open_stack(image, "YX"), "builtin:denoise2d").warnings
    assert [w for w in told if w.startswith("all pixels looked at are NaN, infinite or")]
    image[3, 4] = 1
    told = plan_prediction(open_stack(image, "YX"), "builtin:denoise2d").warnings
    assert not [w for w in told if "looked at are NaN" in w]
