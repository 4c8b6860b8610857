from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.bioimageio.yaml_reader import MOST_BYTES, YamlError, read_yaml


def test_values_are_those_of_yaml_1_2() -> None:
    text = """%YAML 1.2
---
eps: 1e-6
small: 1.5E-3
point: .5
switch: on
no: no
time: 1:30
date: 2019-12-11
hexadecimal: 0x1F
octal: 0o17
leading: 007
under: 1_000
nothing: ~
empty:
truth: True
huge: -.inf
undefined: .NaN
quoted: "1e-6"
tagged: !!str 5
shared: &s [1, 2]
again: *s
"""
    found = read_yaml(text.encode())
    assert math.isnan(found.pop("undefined"))
    assert found == {
        "eps": 1e-6,
        "small": 1.5e-3,
        "point": 0.5,
        "switch": "on",
        "no": "no",
        "time": "1:30",
        "date": "2019-12-11",
        "hexadecimal": 31,
        "octal": 15,
        "leading": 7,
        "under": "1_000",
        "nothing": None,
        "empty": None,
        "truth": True,
        "huge": -math.inf,
        "quoted": "1e-6",
        "tagged": "5",
        "shared": [1, 2],
        "again": [1, 2],
    }
    assert read_yaml("\ufeffname: Zoë".encode()) == {"name": "Zoë"}
    assert read_yaml(b"") is None


def billion_laughs() -> bytes:
    lines = ["a0: &a0 [" + ",".join(["lol"] * 10) + "]"]
    lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 10)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1, 2", "no valid YAML in line 1"),
        (b"a: 1\nb: 2\na: 3", "line 3 gives 'a' a second time"),
        (b"? [1, 2]\n: 3", "line 1 has a key that is no plain value"),
        (b"\xff\xfe", r"no UTF-8 text \(byte 0\)"),
        (b"a: \x07", "a character that YAML forbids"),
        (b"--- 1\n--- 2", "more than one document"),
        (b"%YAML 2.0\n--- 1", "no valid YAML"),
        (b"a: &x [*x]", r"alias \*x holds itself"),
        (b"a: *x", r"alias \*x holds itself or nothing"),
        (b"[" * 1000, "nested deeper than 40 levels"),
        (b"- " * 1000, "nested deeper than 40 levels"),
        (b"a: " * 3, "no valid YAML"),
        (billion_laughs(), "more than 20,000 values"),
        (b"[" + b"1," * 20_001 + b"]", "more than 20,000 values"),
        (b"#" * (MOST_BYTES + 1), "bytes, more than 262,144"),
        (b"a: !!int abc", "no valid YAML"),
        (b"a:\n  !!map [1, 2]", "line 2 calls a mapping what is none"),
        (b"a: !!map xy", "line 1 calls a mapping what is none"),
        (b"a: !!binary aGk=", "line 1 asks for"),
        (b"a: !own 1", "line 1 asks for '!own'"),
        (b"a: !!python/name:os.system", "only plain values are read"),
        (b"a: !!python/object/new:os.system [exit]", "only plain values are read"),
        (b"!!python/module:os {}", "only plain values are read"),
    ],
)
def test_what_is_not_read(content: bytes, says: str) -> None:
    with pytest.raises(YamlError, match=says) as raised:
        read_yaml(content)
    assert "\n" not in str(raised.value)


def test_nothing_is_called(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    attacks = (
        f"a: !!python/object/apply:os.system ['touch {mark}']",
        f"a: !!python/object/apply:builtins.open ['{mark}', 'w']",
        f"a: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch {mark}']",
        f"%TAG !p! tag:yaml.org,2002:python/object/apply:\n---\na: !p!os.system ['touch {mark}']",
    )
    for attack in attacks:
        with pytest.raises(YamlError, match="only plain values are read"):
            read_yaml(attack.encode())
    assert not mark.exists()


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!? \n'\"#|>%0", max_size=80))
def test_anything_is_read_or_refused_in_one_line(content: bytes | str) -> None:
    said = ""
    try:
        read_yaml(content if isinstance(content, bytes) else content.encode())
    except YamlError as error:
        said = str(error)
    assert "\n" not in said
