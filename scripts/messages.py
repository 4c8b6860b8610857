"""Find what napari-tessera may say to people, and the entries about it in docs/troubleshooting.

`spoken` reads the sources, not the running program: it starts where something is said (an error
is raised, a warning given, a line shown) and follows names and calls to the texts behind them. A
text has an ellipsis where it has a value. `entries` reads the pages: a message is a heading of the
third level, or a line of a list, that is nothing but a span of code.

``python scripts/messages.py`` lists what has no entry, and entries that nothing says.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "napari_tessera"
PAGES = ROOT / "docs"

# What says its arguments to somebody, by the last part of its name.
_SPEAKERS = {
    "BadParameter", "not_loadable", "not_usable", "refuse", "NotSaved", "FieldProblem",
    "warn", "warning", "stopped", "say", "_say", "note", "_lose", "_astray", "show_info",
    "show_warning",
}  # fmt: skip
_NAME_FIRST = {"not_loadable", "not_usable", "FieldProblem"}
_NAMES = {"Citation", "About", "Loaded", "join"}
"""What holds names of things, which are no messages."""

_SIGNALS = {"warned", "noticed", "refused", "problem"}
_LISTS = {"found", "warnings", "told", "problems", "refusals", "notices", "notes"}
_TEXTS = {
    "problem", "reason", "message", "kept", "refusal", "why", "way_out", "hint", "notice",
    "FILES_RUN", "LAYER_RUNS", "LIVE", "HELD", "ENDING",
}  # fmt: skip
_TELLING = re.compile(
    r"problem|reason|refus|warn|fail|unreadable|difference|_told$|why|written|take_over|^_take_|^_found$"
    r"|^_placed$|^not_(loadable|usable)$|^offer_of$|^_before$|^_lacks$|^_compared$|^_failed$|^_versions$|^check_shared$"
)
_HELP = re.compile(r"TIP$|^_(NUMBERS|CHOICES|ABOUT|STAGES)$|^(Source|EXPORTED|CHECKPOINT|PACKAGE)$")
"""Constants that explain a field, and are no messages."""

_INNER_ERRORS = {"AssertionError", "ImpossibleChangeError", "NotImplementedError", "KeyError"}
"""What is raised for a mistake of this package itself, which nobody can do anything about."""

_LEFT_OUT = {
    "testing": "checks of other people's stacks and writers; a test runner shows them whole",
    "cli/describing.py": "the words of `info`",
    "widgets/checks": "what the Check strip explains; docs/window.md is about it",
    "models/builtin_names.py": "names of models",
    "models/exporting/description.py": "what an exported package says of itself",
    "widgets/fields/about_text.py": "what *i* says of a model",
    "widgets/demo.py": "what `demo` says of its steps",
    "widgets/demo_window.py": "what `demo` says of its steps",
    "widgets/training/words.py": "how far a training is",
    "prediction/check_readings.py": "names of readings",
}

_SMALL = re.compile(r"\b[a-z]{2,}\b")
_WORD = re.compile(r"[A-Za-z]{2,}")
_ENTRY = re.compile(r"^(?:###|\*) `(.+)`$", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    """A text that is said, or an entry about one.

    Parameters
    ----------
    place : str
        ``file:line``, relative to the repository.
    text : str
        The message; an ellipsis stands for what varies.
    """

    place: str
    text: str

    def is_about(self, said: Message) -> bool:
        """Whether this entry is about what is said: the same words, an ellipsis for any others."""
        first, *others = self.text.split("…")
        if not others:
            return said.text == first
        last, text = others.pop(), said.text
        if not (text.startswith(first) and text.endswith(last)):
            return False
        at = len(first)
        for part in others:
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return at <= len(text) - len(last)


class _Module:
    """One source file: what is said in it, and what its names stand for.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[ast.expr] = []
        self.named: dict[str, list[ast.expr]] = {}
        self.imported: dict[str, str] = {}
        for node, function in _nodes(ast.parse(path.read_text(encoding="utf-8"))):
            self._take(node, function)

    def _take(self, node: ast.AST, function: str) -> None:
        if isinstance(node, ast.Raise):
            if node.exc is not None and not _is_inner(node.exc) and not _speaks(node.exc):
                self.said.append(node.exc)
        elif isinstance(node, ast.Call):
            if _speaks(node):
                self.said.extend(_message_of(node))
            elif _last_name(node) == "append" and _TELLING.search(function):
                self.said.extend(node.args)
        elif isinstance(node, ast.keyword):
            if node.arg in _LISTS | _TEXTS:
                self.said.append(node.value)
        elif isinstance(node, ast.Return):
            if node.value is not None:
                self.named.setdefault(function, []).append(node.value)
                if _TELLING.search(function):
                    self.said.append(node.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            self._take_assigned(node)
        elif isinstance(node, ast.ImportFrom):
            self.imported.update((one.asname or one.name, one.name) for one in node.names)

    def _take_assigned(self, node: ast.Assign | ast.AnnAssign) -> None:
        if node.value is not None:
            names = set(_assigned(node))
            for name in names:
                self.named.setdefault(name, []).append(node.value)
            if names & (_LISTS | _TEXTS):
                self.said.append(node.value)


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """All nodes of a file, each with the name of the function that it is in."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, function = waiting.pop()
        yield node, function
        if isinstance(node, ast.FunctionDef):
            function = node.name
        for field in node._fields:
            value = getattr(node, field, None)
            inner = value if isinstance(value, list) else (value,)
            waiting.extend((one, function) for one in inner if isinstance(one, ast.AST))


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        for one in ast.walk(target):
            if isinstance(one, ast.Name | ast.Attribute):
                yield _last_name(one)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_inner(node: ast.expr) -> bool:
    return _last_name(node) in _INNER_ERRORS


def _message_of(call: ast.Call) -> list[ast.expr]:
    """The argument that is the message: errors have a field or a way out behind it."""
    name = _last_name(call)
    if name in _NAME_FIRST:
        return call.args[1:2]
    return call.args[:1] if name == "refuse" or name.endswith("Error") else call.args


def _speaks(call: ast.expr) -> bool:
    if not isinstance(call, ast.Call):
        return False
    name = _last_name(call)
    if name in _SPEAKERS or (name.endswith("Error") and not _is_inner(call)):
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    whom = _last_name(call.func.value)
    return (name == "emit" and whom in _SIGNALS) or (name == "append" and whom in _LISTS)


def _template(node: ast.expr) -> str | None:
    """A literal text with an ellipsis for each value; None for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(one) or "…" for one in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _template(node.left), _template(node.right)
        return None if left is None and right is None else f"{left or '…'}{right or '…'}"
    return None


class _Reader:
    """Follows what is said to the texts behind it."""

    def __init__(self, folder: Path) -> None:
        self._modules = [
            _Module(path)
            for path in sorted(folder.rglob("*.py"))
            if not _is_left_out(path.relative_to(folder).as_posix())
        ]
        self._root = folder.parents[1]
        self._met: set[tuple[Path, str]] = set()
        self._by_name: dict[str, list[_Module]] = {}
        for module in self._modules:
            for name in module.named:
                self._by_name.setdefault(name, []).append(module)

    def messages(self) -> Iterator[Message]:
        """All texts behind all that is said."""
        for module in self._modules:
            for said in module.said:
                yield from self._behind(said, module)

    def _behind(self, node: ast.AST, module: _Module, within: str = "") -> Iterator[Message]:
        text = _template(node) if isinstance(node, ast.expr) else None
        if isinstance(node, ast.expr) and text is not None:
            # pieces of a text have the place of the whole, and lines of their own since Python 3.12
            own = f"{module.path.relative_to(self._root).as_posix()}:{node.lineno}"
            within = within or own
            yield Message(within, _plain(text))
        if isinstance(node, ast.Name | ast.Attribute):
            yield from self._of_name(_last_name(node), module)
        elif isinstance(node, ast.Call) and _last_name(node) in _NAMES:
            return
        elif not isinstance(node, ast.Compare | ast.comprehension):
            for child in ast.iter_child_nodes(node):
                yield from self._behind(child, module, within)

    def _of_name(self, name: str, module: _Module) -> Iterator[Message]:
        """What a name stands for, the first time that it is met."""
        if _HELP.search(name) or (module.path, name) in self._met:
            return
        self._met.add((module.path, name))
        homes = [module]
        if name not in module.named:
            name = module.imported.get(name, "")
            homes = self._by_name.get(name, [])
        for home in homes:
            for value in home.named[name]:
                yield from self._behind(value, home)


def _is_left_out(where: str) -> bool:
    return any(where == out or where.startswith(f"{out}/") for out in _LEFT_OUT)


def _plain(text: str) -> str:
    """A text in one line; values that stand side by side are one ellipsis."""
    text = re.sub(r"\{[a-z_]*\}", "…", " ".join(text.split()))
    return re.sub(r"…+", "…", text)


def _is_prose(text: str) -> bool:
    """Whether a text is more than a name, a unit or the joint of a sentence."""
    is_plain = " " in text.strip() and not text.startswith("<")
    least = 2 if ": " in text else 3
    return is_plain and len(_WORD.findall(text)) >= least and len(_SMALL.findall(text)) >= 2


def spoken(folder: Path = SOURCES) -> list[Message]:
    """All that is said to people, each text once for each place that has it."""
    found = {one for one in _Reader(folder).messages() if _is_prose(one.text)}
    by_place: dict[str, list[str]] = {}
    for one in found:
        by_place.setdefault(one.place, []).append(one.text)
    whole = {one for one in found if not _is_part(one.text, by_place[one.place])}
    return sorted(whole, key=lambda one: (one.place.split(":")[0], one.text))


def _is_part(text: str, among: Iterable[str]) -> bool:
    """Whether a text is a piece of a longer one in the same place."""
    return any(text != other and text in other for other in among)


def entries(folder: Path = PAGES) -> list[Message]:
    """The messages that the pages have an entry for."""
    found = []
    for page in [folder / "troubleshooting.md", *sorted(folder.glob("troubleshooting/*.md"))]:
        content = page.read_text(encoding="utf-8")
        for match in _ENTRY.finditer(content):
            line = content.count("\n", 0, match.start()) + 1
            place = f"{page.relative_to(folder.parent).as_posix()}:{line}"
            found.append(Message(place, _plain(match.group(1))))
    return found


def compare(said: list[Message], written: list[Message]) -> tuple[list[Message], list[Message]]:
    """What is said and no entry is about; and entries that are about nothing that is said."""
    by_text: dict[str, list[Message]] = {}
    for one in said:
        by_text.setdefault(one.text, []).append(one)
    covered = {entry.text for entry in written} & set(by_text)
    old = []
    for entry in (one for one in written if one.text not in by_text):
        about = {text for text, ones in by_text.items() if entry.is_about(ones[0])}
        covered |= about
        if not about:
            old.append(entry)
    return [one for one in said if one.text not in covered], old


def main() -> int:
    """List what does not fit; the exit status is 1 where there is anything."""
    missing, old = compare(spoken(), entries())
    for one in missing:
        print(f"{one.place}: no entry: {one.text}")
    for one in old:
        print(f"{one.place}: nothing says: {one.text}")
    return 1 if missing or old else 0


if __name__ == "__main__":
    sys.exit(main())
