"""What is done with each block of a page, as its language and the mark above it say."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

from .commands import run_commands
from .pages import ROOT

REASONS = frozenset(
    {
        "installs",
        "measures",
        "needs a cluster",
        "needs a GPU",
        "needs a server",
        "opens a window",
        "runs the tests",
        "stopped by hand",
        "takes minutes",
    }
)
"""Why a block may go unrun; after a colon more may be said."""

MARK = re.compile(
    r"<!-- (?P<kind>exits|not run|output|recipe)(?:: (?P<text>[^\n]+?))? -->\n[ \t]*\Z"
)
ANY_MARK = re.compile(
    r"^[ \t]*<!-+ *(exits?|output|not.?run|recipe|invisible|code|skip)\b", re.M | re.I
)
INDENTED = re.compile(
    r"^(?: {4}|\t)((?:\$ )?(?:napari-tessera|pip|python3?|tox) .*)$", re.MULTILINE
)
FENCED = re.compile(r"(?P<info>[^\n]*)$\n", re.MULTILINE)
PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}
SHOWN = frozenset({"text"})


class PageError(Exception):
    """A block or a mark that is not as it must be."""


@dataclass
class Runner:
    """Runs the blocks of one page, from top to bottom.

    Parameters
    ----------
    printed : callable
        Gives what was printed since it was called last.
    root : Path
        The checkout, which holds the tests and recipes that marks name.
    """

    printed: Callable[[], str]
    root: Path = ROOT
    unrun: list[str] = field(default_factory=list)
    _last: str = ""
    _python: PythonEvaluator = field(default_factory=PythonEvaluator)

    def run(self, page: Path) -> None:
        """Run a page.

        Raises
        ------
        PageError
            If a block has no language that is known here, goes unrun without a reason, or a mark
            stands above nothing.
        AssertionError
            If a command ends with another status, or an output was not printed.
        Exception
            Whatever a block raises.
        """
        document = Sybil([self._fenced, self._hidden]).parse(page)
        self._check_marks(document)
        for example in document.examples():
            try:
                example.evaluate()
            except Exception as error:
                error.add_note(f"{page}, line {example.line}\n{self.printed()}".rstrip())
                raise

    def _check_marks(self, document: Document) -> None:
        """Refuse marks that belong to no block, and commands that no runner sees."""
        known = [example.region for example in document.examples()]
        text = document.text
        for region in reversed(known):
            text = text[: region.start] + text[region.end :]
        is_hidden = [region.lexemes["kind"] == "invisible" for region in known]
        marks = sum(bool(region.lexemes["kind"]) for region in known) - sum(is_hidden)
        if (found := len(ANY_MARK.findall(text))) != marks:
            raise PageError(
                f"{document.path}: {found} marks, and {marks} of them belong to a block"
            )
        if command := INDENTED.search(text):
            raise PageError(f"{document.path}: {command[1]}: commands stand in ```sh blocks")

    def _fenced(self, document: Document) -> Iterable[Region]:
        for region in outer_fences(document):
            source, language = region.lexemes["source"], region.lexemes["info"].strip()
            found = MARK.search(document.text[: region.start])
            marks = found.groupdict("") if found else {"kind": "", "text": ""}
            marks["language"] = language
            yield Region(region.start, region.end, source, self._evaluate, marks)

    def _hidden(self, document: Document) -> Iterable[Region]:
        fences = outer_fences(document)
        for region in DirectiveInHTMLCommentLexer("invisible-code-block", "python")(document):
            if any(fence.start < region.start < fence.end for fence in fences):
                continue
            source = region.lexemes["source"]
            marks = {"kind": "invisible", "text": "", "language": "python"}
            yield Region(region.start, region.end, source, self._evaluate, marks)

    def _evaluate(self, example: Example) -> None:
        source, marks = str(example.parsed), example.region.lexemes
        language, kind, text = marks["language"], marks["kind"], marks["text"]
        if not language:
            raise PageError("a block without a language: text is what is only shown")
        if kind == "output":
            assert is_in(source, self._last), f"not printed:\n{source}\nprinted:\n{self._last}"
            return
        if language in SHOWN:
            if kind:
                raise PageError(f"what is only shown has no mark <!-- {kind} -->")
            return
        if kind in ("not run", "recipe"):
            self._check_reason(kind, text, example)
            self.unrun.append(f"{example.path}:{example.line}: {text}")
            compiles(language, source)
        elif language == "python":
            self._python(example)
        elif language == "sh":
            run_commands(source, int(text) if kind == "exits" else 0)
        elif language in PARSERS:
            compiles(language, source)
        else:
            raise PageError(f"nothing here runs {language!r}; say why with <!-- not run: … -->")
        self._last = self.printed()

    def _check_reason(self, kind: str, text: str, example: Example) -> None:
        if kind == "recipe":
            if not (self.root / "docs" / "recipes" / text).is_file():
                raise PageError(f"there is no recipe {text!r}")
            return
        test = re.fullmatch(r"run by (tests/\S+\.py)", text)
        if test is not None:
            path = self.root / test[1]
            if not path.is_file() or Path(example.path).name not in path.read_text("utf-8"):
                raise PageError(f"{test[1]} says nothing of {Path(example.path).name}")
        elif text.split(":")[0] not in REASONS:
            raise PageError(f"{text!r} is no known reason; there are {', '.join(sorted(REASONS))}")


def outer_fences(document: Document) -> list[Region]:
    """Fenced blocks of a page, but for those that a block shows."""
    outer: list[Region] = []
    for region in sorted(RawFencedCodeBlockLexer(FENCED)(document), key=lambda found: found.start):
        if not outer or region.start >= outer[-1].end:
            outer.append(region)
    return outer


def compiles(language: str, source: str) -> None:
    """Read a block, without running it, where its language can be read here."""
    if language == "python":
        ast.parse(source)
    elif language in PARSERS:
        PARSERS[language](source)


def is_in(wanted: str, printed: str) -> bool:
    """Whether a text was printed, in which … stands for anything; ends of lines do not matter."""
    given = "\n".join(line.rstrip() for line in printed.splitlines())
    pattern = ""
    for line in wanted.strip("\n").splitlines():
        is_gap = line.strip() == "…"
        ends = ".*?".join(map(re.escape, line.rstrip().split("…")))
        pattern += r"(?:.*\n)*?" if is_gap else rf"{ends}$\n?"
    return re.search(f"^{pattern}", given, re.MULTILINE) is not None
