"""Blocks of a shell: commands of this package, run in this process by its real command line."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from napari_tessera import cli

NAME = "napari-tessera"
SHELL_ONLY = re.compile(r"[|;&`]|\$[({\w]|<|2>|>>")


def command_lines(block: str) -> Iterator[str]:
    """Each command of a block, continued lines joined; no comments, no empty lines."""
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def words_of(line: str) -> tuple[list[str], str | None]:
    """Words of a command as a shell would give them, and the file that takes what is printed.

    Raises
    ------
    ValueError
        If the line needs a shell.
    """
    lexer = shlex.shlex(line, posix=False, punctuation_chars=False)
    lexer.whitespace_split = True
    raw, target = list(lexer), None
    bare = " ".join(word for word in raw if word[0] not in "'\"")
    if SHELL_ONLY.search(bare):
        raise ValueError(f"{line}: this needs a shell, and only {NAME} is run here")
    if ">" in raw:
        (target,) = raw[raw.index(">") + 1 :]
        raw = raw[: raw.index(">")]
    words: list[str] = []
    for word in raw:
        plain = "".join(shlex.split(word))
        is_pattern = any(sign in word for sign in "*?[") and not any(q in word for q in "'\"")
        words += (sorted(glob.glob(plain)) or [plain]) if is_pattern else [plain]
    return words, target


def run_commands(block: str, exits: int) -> None:
    """Run each command of a block; the last one ends with ``exits``, and the others with 0.

    Raises
    ------
    ValueError
        If a line is no command of this package.
    AssertionError
        If a command ends otherwise.
    """
    lines = list(command_lines(block))
    if not lines:
        raise ValueError("a block without a command")
    for number, line in enumerate(lines, start=1):
        words, target = words_of(line)
        if words[0] != NAME:
            raise ValueError(f"{line}: only {NAME} is run here; say why with <!-- not run: … -->")
        if target is None:
            status = cli.run(words[1:])
        else:
            with Path(target).open("w", encoding="utf-8") as out, redirect_stdout(out):
                status = cli.run(words[1:])
        wanted = exits if number == len(lines) else 0
        assert status == wanted, f"{line}: exit status {status}, not {wanted}"
