"""The page on models: what it shows runs, and what it says of numbers is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from napari_tessera import cli
from napari_tessera.patching.windows import WINDOW_KINDS
from napari_tessera.prediction.normalization import KINDS
from napari_tessera.prediction.plan import BLENDINGS, TTA
from napari_tessera.prediction.quantiles import DRAWN, MOST_EXACT, error_bound


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:.*(torch.jit|TorchScript|feature will be):DeprecationWarning")
def test_the_code_on_the_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == page.count("```") // 2 >= 7
    names: dict[str, Any] = {}
    for block in blocks:
        assert "assert" in block
        exec(compile(block, "docs/models.md", "exec"), names)
    for line in re.findall(r"^    (napari-tessera .*)$", page, re.MULTILINE):
        words = [
            {"MODEL": "net.pt", "[--json]": "--json"}.get(word, word)
            for word in shlex.split(line, comments=True)[1:]
        ]
        assert cli.run(words) == 0


def test_the_choices_on_the_page_are_those_there_are(page: str) -> None:
    for choice in (*BLENDINGS, *WINDOW_KINDS, *KINDS, *(kind for kind in TTA if kind != "none")):
        assert f'"{choice}"' in page


def test_the_numbers_on_the_page(page: str) -> None:
    assert MOST_EXACT == 2**26
    assert DRAWN == 2**22
    assert f"ε = {error_bound(DRAWN):.4f}" in page
