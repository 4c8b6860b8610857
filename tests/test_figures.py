"""Figures of the explanation pages: their numbers hold, and the pages quote these."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
PAGES = ROOT / "docs" / "explanation"
FIGURES = ROOT / "docs" / "images" / "explanation"

KEPT = json.loads((FIGURES / "figures.json").read_text(encoding="utf-8"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("figures")


class Of(dict[str, Any]):
    """Numbers by attribute, so that what is quoted reads as a format."""

    def __getattr__(self, name: str) -> Any:
        found = self[name]
        return Of(found) if isinstance(found, dict) else found


QUOTED = {
    "exact-tiling.md": (
        "has a deviation of {seams.removed_std:.1f} grey levels",
        "no overlap | {seams.none_largest:.1f} grey levels",
        "24 px of overlap, starts on multiples of 4 px | {seams.short_largest:.2f} grey levels",
        "82 px of overlap, starts on any pixel | {seams.off_period_largest:.1f} grey levels",
        "{seams.automatic_overlap} px of overlap, starts on multiples of {seams.period} px: what",
        "model.info.reach == ({seams.reach}, {seams.reach})",
        "lies within {influence.radius_of_99_percent:.0f} px",
        "{influence.moved_off_period:.1f} grey levels. Where NaN",
        "{overlap.overlap_0:.1f} grey levels with none, {overlap.overlap_32:.2f} with 32 px, "
        "{overlap.overlap_48:.3f} with 48 px",
        "rounded up to the period {overlap.first_exact_overlap}.",
        "(here it starts at {partition.starts[3]},",
        "off by up to {statistics.threshold_largest:.1f} grey levels",
        "Cut, it steps by {blending.crop_step:.2f} deviations",
        "faded, by {blending.linear_step:.3f}. But",
        "nearly the same, {blending.linear_rms:.2f} against {blending.crop_rms:.2f} deviations",
    ),
    "noise-models.md": (
        "a slope of {transfer.multiplied_slope:.2f} where a grey level's gain is "
        "{transfer.gain:.1f}",
        "photons alone | {correlation.independent_row:z.2f} | {correlation.independent_column:z.2f}"
        " | {correlation.independent_predictable:z.0%}",
        "cameras | {correlation.rows_row:.2f} | {correlation.rows_column:.2f} | "
        "{correlation.rows_predictable:.0%}",
        "than the scan | {correlation.slow_row:.2f} | {correlation.slow_column:.2f} | "
        "{correlation.slow_predictable:.0%}",
        "interpolation | {correlation.turned_row:.2f} | {correlation.turned_column:.2f} | "
        "{correlation.turned_predictable:.0%}",
        "quality 75 | {correlation.jpeg_row:.2f} | {correlation.jpeg_column:.2f} | "
        "{correlation.jpeg_predictable:.0%}",
        "σ = 1 px | {correlation.smoothed_row:.2f} | {correlation.smoothed_column:.2f} | "
        "{correlation.smoothed_predictable:.0%}",
        "the pixel alone (`n2v`) | {correlation.slow_predictable:.0%} | "
        "{correlation.rows_predictable:.0%}",
        "(`--struct-span 5`) | {correlation.slow_span_5:z.0%} | {correlation.rows_span_5:z.0%}",
        "7 px | {correlation.slow_span_7:z.0%} | {correlation.rows_span_7:z.0%}",
        "as the sum looks | {correlation.slow_span_17:z.0%} | {correlation.rows_span_17:z.0%}",
        "{anscombe.deviation_at_1:.2f} at 1 photon, {anscombe.deviation_at_10:.2f} at 10",
        "gives {anscombe.algebraic_at_1:.2f} photons where there is 1, and "
        "{anscombe.algebraic_at_10:.2f} where there are 10",
        "({anscombe.unbiased_at_1:.2f} and {anscombe.unbiased_at_10:.2f} photons)",
    ),
    "when-not-to-denoise.md": (
        *(
            f"| {n} | {{faint.spot_{n}.input:.0f}} ± {{faint.spot_{n}.input_std:.0f}} | "
            f"{{faint.spot_{n}.denoised:.0f}} ± {{faint.spot_{n}.denoised_std:.0f}} |"
            for n in (32, 64, 128, 256)
        ),
        *(f"● {{{name}.strip[{i}]}}" for name in ("faint", "invented.nothing") for i in range(5)),
        "ground of 5 photons | {invented.lines.input_error:.2f} | {invented.lines.error:.2f} | "
        "{invented.lines.builtin_error:.2f}",
        "the same ground | {invented.dots.input_error:.2f} | {invented.dots.error:.2f} | "
        "{invented.dots.builtin_error:.2f}",
        "ground of 6 photons | {invented.nothing.input_error:.2f} | "
        "{invented.nothing.error:.2f} | {invented.nothing.builtin_error:.2f}",
        "{invented.nothing.threads:.0f} pieces of 8 px and more",
        "really scatter | {error_bars.input.scatter:.2f} photons | "
        "{error_bars.denoised.scatter:.2f} photons",
        "√100 | {error_bars.input.believed:.2f} photons | "
        "{error_bars.denoised.believed:.3f} photons",
        "over their mean | {error_bars.input.variance_over_mean:.2f} | "
        "{error_bars.denoised.variance_over_mean:.3f}",
        "error bars from them are {error_bars.factor:.0f} times too short",
        *(
            f"shared | {{colocalization.{name}.true:.2f}} | {{colocalization.{name}.input:.2f}} | "
            f"{{colocalization.{name}.denoised:.2f}} | {{colocalization.{name}.corrected:.2f}} |"
            for name in ("none", "half")
        ),
    ),
}
"""What each page says of the figures' numbers, with the numbers left out."""


def text_of(page: str) -> str:
    """A page as one line, with plain signs and no markup of numbers."""
    text = (PAGES / page).read_text(encoding="utf-8").replace("−", "-").replace("**", "")
    return re.sub(r"\s+", " ", text).replace(" %", "%")


@pytest.mark.parametrize(
    ("page", "words"), [(page, words) for page, all_words in QUOTED.items() for words in all_words]
)
def test_a_page_quotes_the_numbers_as_they_are(page: str, words: str) -> None:
    quoted = words.format_map({name: Of(made) for name, made in KEPT["numbers"].items()})
    assert re.sub(r"\s+", " ", quoted).replace(" %", "%") in text_of(page)


def test_what_pages_say_without_digits_is_so() -> None:
    numbers = KEPT["numbers"]
    assert numbers["seams"]["exact_rounding"] == 0
    assert numbers["overlap"]["enough_rounding"] == 0
    assert numbers["overlap"]["overlap_64"] == numbers["overlap"]["overlap_72"] == 0
    assert min(numbers["overlap"][f"off_period_{o}"] for o in (82, 90)) > 1
    assert numbers["influence"]["repeats"]
    assert numbers["influence"]["spans"] == [[-38, 37], [-39, 36], [-36, 39], [-37, 38]]
    assert numbers["statistics"]["builtin_rounding"] < 1e-5
    assert numbers["blending"]["is_global"]
    assert numbers["faint"]["all_good"]
    nothing = numbers["invented"]["nothing"]
    assert nothing["all_good"]
    assert nothing["true_threads"] == nothing["builtin_threads"] == 0


def test_every_figure_is_the_one_that_was_drawn_with_these_numbers() -> None:
    assert {path.name for path in FIGURES.glob("*.*")} == {*KEPT["figures"], "figures.json"}
    for name, sha256 in KEPT["figures"].items():
        content = (FIGURES / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256, name
        assert len(content) <= 150_000, name


def test_every_figure_is_on_a_page_with_its_own_background() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in PAGES.glob("*.md"))
    shown = re.findall(r"!\[([^\]]{20,})\]\(\.\./images/explanation/([^)]+)\)", pages)
    assert {name for _, name in shown} == set(KEPT["figures"])
    for name in KEPT["figures"]:
        with Image.open(FIGURES / name) as picture:
            assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255), name
            assert min(picture.size) >= 250, name


def test_a_changed_number_is_told(script: Any) -> None:
    before = {"a": {"b": 1.0, "c": [3, "x"], "d_rounding": 0.0}, "e": True}
    assert not list(script.differences(before, json.loads(json.dumps(before))))
    near = {"a": {"b": 1.04, "c": [3, "x"], "d_rounding": 9e-6}, "e": True}
    assert not list(script.differences(before, near))
    far = {"a": {"b": 1.06, "c": [4, "x"], "d_rounding": 2e-5, "f": 1}, "e": False}
    told = " ".join(script.differences(before, far))
    assert [f"{where} is" in told for where in ("a.b", "a.c[0]", "a.d_rounding", "a.f", "e")] == [
        True
    ] * 5
    assert list(script.differences(before, {"a": before["a"]})) == [".e is gone"]


@pytest.mark.slow
def test_figures_are_drawn_the_same_each_time(script: Any, tmp_path: Path) -> None:
    drawn, style = (importlib.import_module(f"figures_{name}") for name in ("drawn", "style"))
    for name in ("partition.png", "anscombe.png"):
        for again in "ab":
            style.save(drawn.DRAWN[name](), tmp_path / f"{again}-{name}")
        first = (tmp_path / f"a-{name}").read_bytes()
        assert first == (tmp_path / f"b-{name}").read_bytes()
        with Image.open(tmp_path / f"a-{name}") as new, Image.open(FIGURES / name) as old:
            assert new.size == old.size


@pytest.mark.slow
def test_computing_anew_gives_the_numbers_that_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "figures.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
