"""The page shows the recipes as they are, and says which there are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "recipes.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipes_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_recipes_as_they_are() -> None:
    checked = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_a_page_with_older_text_gets_the_newer_one(script: ModuleType) -> None:
    page = "before\n\n<!-- recipe: a.sh -->\n```\nold\nlines\n```\n\nafter ```x``` \n"
    made = script.with_recipes(page, {"a.sh": "new \\1\n"})
    assert made == "before\n\n<!-- recipe: a.sh -->\n```sh\nnew \\1\n```\n\nafter ```x``` \n"
    assert script.with_recipes(made, {"a.sh": "new \\1\n"}) == made


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("", "a.sh: a recipe is shown once"),
        ("<!-- recipe: b.sh -->\n```\n```\n", "no recipe b.sh; there are a.sh"),
        ("<!-- recipe: a.sh -->\n```\n```\n" * 2, "a.sh: a recipe is shown once"),
        ("<!-- recipe: a.sh -->\n\n```\n```\n", "1 marks and 0 blocks"),
    ],
)
def test_what_does_not_fit_is_told(script: ModuleType, page: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        script.with_recipes(page, {"a.sh": ""})


@pytest.mark.parametrize("name", ["*.sh"])
def test_shells_can_read_the_scripts(recipes: Path, name: str) -> None:
    found = sorted(recipes.glob(name))
    assert len(found) >= 6
    for path in found:
        shell = "bash" if "bash" in path.read_text("utf-8").splitlines()[0] else "sh"
        subprocess.run([shell, "-n", path], check=True)
