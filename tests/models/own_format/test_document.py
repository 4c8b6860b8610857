"""The description in a model file: read back as it was written, and refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.own_format import OwnFormatError, TrainedDocument
from napari_tessera.models.own_format import document as document_room

from ..own_files import TRAINING

DOCUMENT = TrainedDocument(
    UNetSettings(2, 2, 2, depth=2, features=8, n2v2=True),
    (100.0, 7.5),
    (3.0, 0.0),
    name="cells",
    training=TRAINING,
    licence="MIT",
    authors=("Ada Lovelace",),
)

finite = st.floats(-1e29, 1e29)
spreads = st.floats(0, 1e29)


def changed(**changes: Any) -> str:
    """The JSON of a good document with other entries; ``part__key`` is an entry of a part."""
    whole = json.loads(DOCUMENT.to_json())
    for key, value in changes.items():
        part, _, name = key.rpartition("__")
        (whole[part] if part else whole)[name] = value
    return json.dumps(whole)


@given(
    st.integers(1, 3),
    st.integers(2, 3),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_comes_back_as_it_was(
    channels: int, dims: int, n2v2: bool, has_target: bool, data: st.DataObject
) -> None:
    def drawn(values: st.SearchStrategy[float]) -> tuple[float, ...]:
        return tuple(data.draw(st.lists(values, min_size=channels, max_size=channels)))

    document = TrainedDocument(
        UNetSettings(dims, channels, channels, depth=1, features=4, n2v2=n2v2),
        drawn(finite),
        drawn(spreads),
        drawn(finite) if has_target else None,
        drawn(spreads) if has_target else None,
        name="a name",
        training={"steps": 3, "losses": [[1, 0.5, None]]},
    )
    assert TrainedDocument.from_json(document.to_json()) == document


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "format 2, and this napari-tessera reads 1"),
        ({"format": True}, "format True is no version"),
        ({"format": 10**30}, "an integer of"),
        ({"format": None}, "is no version"),
        ({"architecture": "UNet"}, "does not say which network"),
        ({"architecture__name": "os.system"}, "architecture 'os.system' is none"),
        ({"architecture__depth": 10**6}, "depth 1000000 is outside 1…12"),
        ({"architecture__depth": 2.5}, "depth 2.5 is no integer"),
        ({"architecture__features": -1}, "features -1 is outside"),
        ({"architecture__activation": "exec"}, "final activation 'exec' is none"),
        ({"architecture__more": 1}, "unknown setting 'more'"),
        ({"architecture__n2v2": "yes"}, "n2v2 'yes' is neither true nor false"),
        ({"architecture__spatial_dims": 7}, "neither 2D nor 3D"),
        ({"axes": "ZYX"}, "axes 'ZYX' is not the network's 'YX'"),
        ({"axes": ["Y", "X"]}, "axes a list is not"),
        ({"channels": 3}, "channels 3 is not the network's 2"),
        ({"normalization": None}, "does not say how grey levels are normalized"),
        ({"normalization__means": [1.0]}, "1 means do not go with 2 channel"),
        ({"normalization__means": None}, "means are missing"),
        ({"normalization__means": "12"}, "no list of numbers"),
        ({"normalization__means": [1.0, "2"]}, "'2', which is no number"),
        ({"normalization__means": [True, 2]}, "True, which is no number"),
        ({"normalization__means": [float("nan"), 2]}, "nan, which is not finite"),
        ({"normalization__stds": [float("inf"), 2]}, "inf, which is not finite"),
        ({"normalization__means": [10**400, 2]}, "which is too large"),
        ({"normalization__means": [1e38, 2]}, "too large"),
        ({"normalization__stds": [1, -2]}, "-2.0, which is below 0"),
        ({"normalization__target_means": [1, 2]}, "needs both"),
        ({"normalization__target_means": [1], "normalization__target_stds": [1]}, "1 target_means"),
        ({"architecture__out_channels": 4}, "makes 4 channels of 2 and has no target_means"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(OwnFormatError) as raised:
        TrainedDocument.from_json(changed(**changes))
    assert says in str(raised.value)
    assert raised.value.way_out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "no JSON"),
        ('{"format": ' + "9" * 5000 + "}", "no JSON"),
    ],
)
def test_what_is_no_document(text: str, says: str) -> None:
    with pytest.raises(OwnFormatError, match=says):
        TrainedDocument.from_json(text)


def test_a_document_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = changed()
    monkeypatch.setattr(document_room, "MOST_TEXT", len(text) - 1)
    with pytest.raises(OwnFormatError, match="characters, more than"):
        TrainedDocument.from_json(text)


def test_what_nothing_depends_on_is_left_out_where_it_is_odd() -> None:
    text = changed(training=[1], licence=3, authors=[1, "  Ada\n\x1b[2J L. "], name=None)
    document = TrainedDocument.from_json(text)
    assert (document.training, document.licence, document.name) == ({}, None, "")
    assert document.authors == ("Ada [2J L.",)


def test_authors_and_licence_that_are_given_replace_those_there() -> None:
    assert DOCUMENT.signed((), None) == DOCUMENT
    other = DOCUMENT.signed(["Grace Hopper", " "], "CC-BY-4.0")
    assert (other.authors, other.licence) == (("Grace Hopper",), "CC-BY-4.0")
    with pytest.raises(ValueError, match=r"'CC BY 4.0' is no SPDX identifier: write it as in CC-"):
        DOCUMENT.signed((), "CC BY 4.0")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = [
    *json.loads(DOCUMENT.to_json()),
    *(f"architecture__{key}" for key in json.loads(DOCUMENT.to_json())["architecture"]),
    *(f"normalization__{key}" for key in json.loads(DOCUMENT.to_json())["normalization"]),
]


@given(st.sampled_from(KEYS), json_values)
def test_any_value_anywhere_is_read_or_refused(key: str, value: Any) -> None:
    refusal = ""
    try:
        document = TrainedDocument.from_json(changed(**{key: value}))
    except OwnFormatError as error:
        refusal = str(error)
    else:
        assert TrainedDocument.from_json(document.to_json()) == document
    assert "\n" not in refusal
    assert len(refusal) < 300
