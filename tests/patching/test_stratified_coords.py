"""Grid coordinates and probabilities as people give them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from napari_tessera.patching.stratified.coords import probabilities, region_numbers


@pytest.mark.parametrize(
    "coords",
    [
        [(1, 2), (0, 3)],
        ([1, 2], [0, 3]),
        np.array([[1, 2], [0, 3]]),
        np.array([[1, 2], [0, 3]], dtype=np.uint8),
        [(np.int64(1), np.uint64(2)), (0, 3)],
        [np.array([1, 2], dtype=np.uint64), np.array([0, 3], dtype=np.int64)],
        iter([(1, 2), (0, 3)]),
        {(1, 2): None, (0, 3): None},
    ],
)
def test_coordinates_in_any_form(coords: object) -> None:
    assert region_numbers(coords, (3, 4)).tolist() == [6, 3]  # type: ignore[arg-type]


def test_no_coordinates() -> None:
    assert not len(region_numbers([], (3, 4)))
    assert not len(probabilities({}, (3, 4))[0])


@pytest.mark.parametrize(
    ("coords", "message"),
    [
        (
            [(0, 0), (3, 0), (0, -1)],
            "grid coordinates (3, 0), (0, -1) are off the grid of regions: use Y 0…2, X 0…3",
        ),
        ([(9, i) for i in range(7)], "(9, 3), (9, 4) and 2 more are off the grid"),
        ([(2**70, 0)], f"grid coordinates ({2**70}, 0) are off the grid"),
        ([(0, 0), (1, 2, 3)], "grid coordinate (1, 2, 3) has 3 numbers, the image 2 spatial axes"),
        ([(0,)], "grid coordinate (0,) has 1 numbers, the image 2 spatial axes: give YX"),
        ([(0, 1.0)], "grid coordinate X: 1.0 is not a whole number"),
        ([(0, True)], "grid coordinate X: True is not a whole number"),
        ([(np.True_, 0)], "grid coordinate Y: True is not a whole number"),
        (np.array([[True, False]]), "grid coordinate Y: True is not a whole number"),
        ([{1, 2}], "grid coordinate {1, 2} is no sequence; give one whole number per axis, YX"),
        ([("a", 1)], "grid coordinate Y: 'a' is not a whole number"),
        ((1, 2), "grid coordinate 1 is no sequence; give one whole number per axis, YX"),
        (5, "grid coordinates 5 are no sequence; give a list of YX"),
    ],
)
def test_coordinates_that_are_none(coords: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        region_numbers(coords, (3, 4))  # type: ignore[arg-type]


def test_probabilities_by_coordinates() -> None:
    probs = {(0, 0, 1): 0.5, (np.int64(1), 0, 0): 1, (1, 1, 1): np.float32(0.25)}
    numbers, values = probabilities(probs, (2, 2, 2))
    assert numbers.tolist() == [1, 4, 7]
    assert values.tolist() == [0.5, 1.0, 0.25]
    # Keys that NumPy has no common type for.
    mixed = {(np.uint64(1), np.int64(0), 0): 0.5}
    assert probabilities(mixed, (2, 2, 2))[0].tolist() == [4]


@pytest.mark.parametrize(
    "cell", [(2, 0), (0, -1), (0,), (0, 0, 0), (0.5, 0), ("a", 0), "ab", 3, (2**70, 0), (True, 0)]
)
def test_unknown_coordinates_are_a_key_error(cell: object) -> None:
    with pytest.raises(KeyError, match="are off the grid of regions: use Y 0…1, X 0…1"):
        probabilities({(0, 0): 0.5, cell: 0.5}, (2, 2))  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "prob",
    [
        -0.1,
        1.0001,
        float("nan"),
        float("inf"),
        -float("inf"),
        "0.5",
        None,
        1j,
        [0.5],
        np.array([0.5]),
    ],
)
def test_what_is_no_probability_is_a_value_error(prob: object) -> None:
    with pytest.raises(ValueError, match=r"probability .* of region \(0, 1\) is none: use 0…1"):
        probabilities({(0, 0): 0.5, (0, 1): prob}, (2, 2))  # type: ignore[dict-item]


@pytest.mark.parametrize("probs", [None, 5, [(1, 1)], [((1, 1), 0.5)]])
def test_probabilities_without_coordinates_are_a_type_error(probs: object) -> None:
    message = r"^probabilities .* are no mapping; give a dict of YX: 0…1$"
    with pytest.raises(TypeError, match=message):
        probabilities(probs, (2, 2))  # type: ignore[arg-type]
