"""Reading a YAML file that a stranger wrote: plain values only, and not too many of them."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
    ScalarEvent,
)

MOST_BYTES = 2**18
"""Size of a description: those of the model zoo have a few kilobytes."""

MOST_DEPTH = 40
"""Levels of lists and mappings in one another."""

MOST_VALUES = 20_000
"""Values in one file, those that aliases repeat counted as often as they are repeated."""

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")
)


class YamlError(ValueError):
    """A YAML file that is not read; half a sentence says why."""


class _PlainLoader(yaml.SafeLoader):
    """Values of the YAML 1.2 core schema.

    PyYAML follows YAML 1.1, in which 1e-6 is text, ``on`` is true and 1:30 is ninety; descriptions
    are written for YAML 1.2.
    """

    # SafeLoader's own table must stay as it is
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise YamlError(f"line {node.start_mark.line + 1} calls a mapping what is none")
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError(f"line {line} has a key that is no plain value")
            key = self.construct_object(key_node)
            if key in found:
                raise YamlError(f"line {line} gives {str(key)[:60]!r} a second time")
            found[key] = self.construct_object(value_node, deep=True)
        return found

    def construct_map(self, node: yaml.MappingNode) -> dict[Hashable, Any]:
        return self.construct_mapping(node)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node))
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        text = str(self.construct_scalar(node)).lower()
        if text.endswith(".nan"):
            return math.nan
        return float(text.replace(".inf", "inf"))

    def construct_truth(self, node: yaml.ScalarNode) -> bool:
        return str(self.construct_scalar(node)).lower() == "true"


for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,250}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    _PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first
    )
for _kind, _construct in (
    ("map", _PlainLoader.construct_map),
    ("int", _PlainLoader.construct_int),
    ("float", _PlainLoader.construct_number),
    ("bool", _PlainLoader.construct_truth),
):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _construct)


def read_yaml(content: bytes) -> Any:
    """Read one YAML document.

    Parameters
    ----------
    content : bytes
        The file's content, UTF-8.

    Returns
    -------
    object
        Mappings, lists, text, numbers, true, false and None.

    Raises
    ------
    YamlError
        If it is no YAML, is too large, too deep or repeats too much, or asks for Python objects.
    """
    if len(content) > MOST_BYTES:
        raise YamlError(f"it has {len(content):,} bytes, more than {MOST_BYTES:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(f"it is no UTF-8 text (byte {error.start})") from error
    try:
        _check_events(text)
        return yaml.load(text, _PlainLoader)  # a SafeLoader: builds plain values only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise YamlError(f"it is no valid YAML{where} ({error.problem})") from error
    except yaml.YAMLError as error:
        raise YamlError("it is no valid YAML (a character that YAML forbids)") from error
    except YamlError:
        raise
    except ValueError as error:
        # what PyYAML's constructors say of a value that does not fit an explicit tag
        raise YamlError(f"it is no valid YAML ({error})") from error


def _check_events(text: str) -> None:
    """Refuse what would build too much, before anything is built."""
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    known: dict[str, int] = {}
    documents = 0

    def count(anchor: str | None, values: int) -> None:
        if anchor is not None:
            known[anchor] = values
        above, so_far = open_nodes[-1]
        if so_far + values > MOST_VALUES:
            raise YamlError(f"it has more than {MOST_VALUES:,} values")
        open_nodes[-1] = (above, so_far + values)

    for event in yaml.parse(text, yaml.SafeLoader):
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise YamlError("it holds more than one document")
        if isinstance(event, AliasEvent):
            if event.anchor not in known:
                raise YamlError(f"its alias *{str(event.anchor)[:40]} holds itself or nothing")
            count(None, known[event.anchor])
        elif isinstance(event, NodeEvent):
            _check_tag(event)
            if isinstance(event, CollectionStartEvent):
                open_nodes.append((event.anchor, 1))
                if len(open_nodes) > MOST_DEPTH:
                    raise YamlError(f"it is nested deeper than {MOST_DEPTH} levels")
            else:
                count(event.anchor, 1)
        elif isinstance(event, CollectionEndEvent):
            count(*open_nodes.pop())


def _check_tag(event: NodeEvent) -> None:
    tag = getattr(event, "tag", None)
    if tag is None or tag in _PLAIN_TAGS or (isinstance(event, ScalarEvent) and tag == "!"):
        return
    line = event.start_mark.line + 1 if event.start_mark else 0
    raise YamlError(f"line {line} asks for {str(tag)[:80]!r}, and only plain values are read")
