from __future__ import annotations

from dataclasses import replace

import pytest
from tests.widgets.conftest import Blur

from napari_tessera.models import ModelInfo, load_model
from napari_tessera.models.about import About, Citation
from napari_tessera.models.sizes import ValidSizes
from napari_tessera.widgets.fields.about_text import (
    Fact,
    facts,
    has_own_test,
    own_test_said,
    sizes_taken_text,
    takes_text,
    weights_text,
)


@pytest.fixture(scope="module")
def info() -> ModelInfo:
    return load_model(Blur(), device="cpu").info


def test_what_is_known_of_a_module_is_said_in_the_words_of_the_dock(info: ModelInfo) -> None:
    said = {fact.label: fact.text for fact in facts(info)}
    assert said["Kind"] == "PyTorch module"
    assert said["Takes"] == "images (2D), 1 channel at a time"
    assert said["Looks"] == "1 px around each pixel"
    assert said["Sizes"] == "any"
    assert said["Weights"] == "9, float32"
    assert said["SHA-256"] == info.sha256[:12]
    assert not {"Name", "Licence", "Authors", "Cite", "File"} & set(said)


def test_whose_it_is_stands_there_where_the_file_says_so(info: ModelInfo) -> None:
    about = About(
        title="Nuclei",
        licence="MIT",
        documentation="javascript:alert(1)",
        authors=("A", "B", "C", "D", "E", "F"),
        citations=(Citation("A et al. 2020", "https://doi.org/10.1/2"),),
    )
    found = {fact.label: fact for fact in facts(replace(info, about=about, source="/m/n.zip"))}
    assert found["Name"] == Fact("Name", "Nuclei", None)
    assert found["Licence"].text == "MIT"
    assert found["Authors"].text == "A, B, C, D and 2 more"
    assert found["Authors"].tip == "A, B, C, D, E, F"
    assert found["Cite"].link == "https://doi.org/10.1/2"
    assert found["File"].text == "n.zip"


def test_a_link_is_one_of_the_web_or_none(info: ModelInfo) -> None:
    about = About(citations=(Citation("x", "file:///etc/passwd"), Citation("", "10.1/2")))
    found = [fact for fact in facts(replace(info, about=about)) if fact.label == "Cite"]
    assert [(fact.text, fact.link) for fact in found] == [
        ("x", None),
        ("10.1/2", "https://doi.org/10.1/2"),
    ]


@pytest.mark.parametrize(
    ("given", "made", "text"),
    [
        (None, 3, "images (2D), any number of channels"),
        (3, 3, "images (2D), 3 channels"),
        (1, 2, "images (2D), 1 channel in, 2 out"),
    ],
)
def test_channels_in_and_out(info: ModelInfo, given: int | None, made: int, text: str) -> None:
    assert takes_text(replace(info, in_channels=given, out_channels=made)) == text


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        (ValidSizes.any(2), "any"),
        (ValidSizes.fixed((64, 64)), "64×64 only; others are padded"),
        (ValidSizes((8, 8), (8, 8), (None, None)), "multiples of 8; others are padded"),
        (
            ValidSizes((16, 16), (4, 4), (512, 512)),
            "from 16 in steps of 4 to 512; others are padded",
        ),
    ],
)
def test_sizes(info: ModelInfo, sizes: ValidSizes, text: str) -> None:
    assert sizes_taken_text(replace(info, sizes=sizes)) == text


def test_a_model_that_makes_larger_pixels_says_so(info: ModelInfo) -> None:
    assert sizes_taken_text(replace(info, output_scale=(2.0, 2.0))).endswith(
        "its output is 2×2 as large"
    )


def test_how_many_weights() -> None:
    assert weights_text(None, "float32") == "float32"
    assert weights_text(1_931_000, "float16") == "1.9 million, float16"


def test_its_own_test(info: ModelInfo) -> None:
    assert not has_own_test(info)
    waiting = replace(info, own_test="not run")
    assert has_own_test(waiting)
    assert not own_test_said(waiting)
    assert own_test_said(replace(info, own_test="passes"))
