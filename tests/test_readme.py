"""What README claims is in the pages and files that it points to."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
COMPARISON = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")

NUMBER = r"\d[\d,]*(?:\.\d+)?"
UNIT = r"(?:dB|s|ms|min|h|[MG]B/s|MP/s|tiles/s|frames/s|FLOP/s|×|times|%)"
QUANTITY = re.compile(rf"({NUMBER})(?: (?:and|to|or) ({NUMBER}))? ?{UNIT}(?![\w/])")
"""A figure of speed or quality: a number, or two, with a unit."""


def test_it_is_short() -> None:
    assert README.count("\n") <= 220


def test_it_has_the_two_commands() -> None:
    start = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox"
    for command in (start, f"{start} -e demo"):
        assert f"```sh\n{command}\n```" in README


def quantities(text: str) -> list[str]:
    return [number for match in QUANTITY.finditer(text) for number in match.groups() if number]


def test_numbers_with_units_are_found() -> None:
    text = "31.94 and 31.93 dB, 40.6 times, 2.3 × as fast, 0.09 s; torch 2.15.0, 256² tiles, 16 bit"
    assert quantities(text) == ["31.94", "31.93", "40.6", "2.3", "0.09"]


def test_its_figures_are_those_of_the_benchmarks() -> None:
    measured = set(re.findall(NUMBER, BENCHMARKS))
    assert quantities(README)
    assert [number for number in quantities(README) if number not in measured] == []


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split("|")]


def table(after: str) -> list[list[str]]:
    """The first table below a line, its header first."""
    lines = iter(README[README.index(after) :].splitlines())
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append(cells(line))
        elif rows:
            break
    return [rows[0], *rows[2:]]


def test_each_line_of_the_comparison_has_its_evidence() -> None:
    header, *rows = table("## Beside other software")
    headings = re.findall(r"^### (.*)$", COMPARISON, re.MULTILINE)
    assert [name[0].upper() + name[1:] for name, *_ in rows] == headings
    for row in rows:
        assert len(row) == 6, row
    for section in re.split(r"^### .*$", COMPARISON, flags=re.MULTILINE)[1:]:
        for software in ("Ours", "CAREamics", "MONAI", "CSBDeep", "torch-em"):
            said = section.split("\n## ")[0]
            assert software.lower() in said.lower() or "libraries" in said, (software, said[:60])
    for version in re.findall(r"\d+(?:\.\d+){2,}", " ".join(header)):
        assert version in COMPARISON


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    rows = table("| extra |")[1:]
    assert {row[0].strip("`") for row in rows} == set(extras) - {"all"}
    for name, _, in_all in rows:
        assert (in_all == "yes") == (set(extras[name.strip("`")]) <= set(extras["all"]))


@pytest.mark.parametrize("page", ["README.md", "docs/comparison.md", "docs/benchmarks.md"])
def test_environments_of_tox_are_there(page: str) -> None:
    config = ConfigParser()
    config.read(ROOT / "tox.ini", encoding="utf-8")
    named = re.findall(r"tox -e ([\w-]+)", (ROOT / page).read_text(encoding="utf-8"))
    there = {section.removeprefix("testenv:") for section in config.sections()} | {"py"}
    assert set(named) <= there
