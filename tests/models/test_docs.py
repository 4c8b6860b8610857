"""The page on models: what it says of choices and numbers is so."""

from __future__ import annotations

import pytest

from napari_tessera.patching.windows import WINDOW_KINDS
from napari_tessera.prediction.normalization import KINDS
from napari_tessera.prediction.plan import BLENDINGS, TTA
from napari_tessera.prediction.quantiles import DRAWN, MOST_EXACT, error_bound


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_choices_on_the_page_are_those_there_are(page: str) -> None:
    for choice in (*BLENDINGS, *WINDOW_KINDS, *KINDS, *(kind for kind in TTA if kind != "none")):
        assert f'"{choice}"' in page


def test_the_numbers_on_the_page(page: str) -> None:
    assert MOST_EXACT == 2**26
    assert DRAWN == 2**22
    assert f"ε = {error_bound(DRAWN):.4f}" in page
