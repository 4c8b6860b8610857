from __future__ import annotations

from typing import Any

import pytest

from napari_tessera.models.exported.constraints import read_constraints
from napari_tessera.models.exported.program import Program
from napari_tessera.models.exported.refusal import RefusedProgramError
from napari_tessera.models.sizes import ValidSizes

Ranges = dict[str, tuple[int | None, int | None]]


def _size(text: str | int, example: int | None = None) -> dict[str, Any]:
    if isinstance(text, int):
        return {"as_int": text}
    hint = None if example is None else {"as_int": example}
    return {"as_expr": {"expr_str": text, "hint": hint}}


def _program(*sizes: dict[str, Any], ranges: Ranges | None = None, guards: Any = ()) -> Program:
    return Program(b"", {"sizes": list(sizes)}, ranges or {}, list(guards))


Y, X = "L['x'].size()[2]", "L['x'].size()[3]"
ANY: Ranges = {"s1": (2, None), "s2": (2, None)}


@pytest.mark.parametrize(
    ("y", "ranges", "guards", "expected"),
    [
        (_size(64), {}, [], (64, 0, 64)),
        (_size("4*s1", 64), {"s1": (4, 512)}, [], (16, 4, 2048)),
        (_size("4*s1", 64), {"s1": (4, None)}, [], (16, 4, None)),
        (_size("4*s1 + 3", 67), {"s1": (1, None)}, [], (7, 4, None)),
        (_size("s1", 64), {"s1": (2, None)}, [], (1, 1, None)),
        (_size("s1", 64), {"s1": (20, 100)}, [], (20, 1, 100)),
        (_size("s1", 64), ANY, [f"{Y} == 8*({Y} // 8)"], (8, 8, None)),
        (_size("s1", 64), ANY, [f"{Y} == 8*({Y} // 8)", f"({Y} // 8) != 1"], (16, 8, None)),
        (_size("s1", 64), ANY, [f"({Y} % 32) == 16 or ({Y} % 32) == 0"], (16, 16, None)),
        # a size that stands alone is no beginning of a series
        (_size("s1", 64), ANY, [f"{Y} == 1 or {Y} == 5 or {Y} > 16"], (17, 1, None)),
        # nothing but the example is known to work
        (_size("s1", 64), ANY, [f"{Y} == {X}"], (64, 0, 64)),
        (_size("s1", 64), ANY, ["something(else_)"], (64, 0, 64)),
        (_size("s1*s2", 64), ANY, [], (64, 0, 64)),
        (_size("Pow(s1, Integer(2))", 64), ANY, [], (64, 0, 64)),
    ],
)
def test_sizes(
    y: dict[str, Any], ranges: Ranges, guards: list[str], expected: tuple[int, int, int | None]
) -> None:
    program = _program(_size(1), _size(3), y, _size(64), ranges=ranges, guards=guards)
    found = read_constraints(program)
    assert (found.spatial_dims, found.in_channels, found.batch) == (2, 3, 1)
    least, step, most = expected
    assert found.sizes == ValidSizes((least, 64), (step, 0), (most, 64))


def test_conditions_on_both_axes() -> None:
    program = _program(
        _size(1), _size(1), _size("s1", 64), _size("s2", 64), ranges=ANY, guards=[f"{Y}*{X} < 9999"]
    )
    # each axis alone may be longer than in the example, both together may not
    assert read_constraints(program).sizes == ValidSizes.fixed((64, 64))


def test_axes_of_one_symbol_are_fixed() -> None:
    program = _program(_size(1), _size(1), _size("s1", 64), _size("2*s1", 128), ranges=ANY)
    assert read_constraints(program).sizes == ValidSizes.fixed((64, 128))


@pytest.mark.parametrize(
    ("samples", "ranges", "batch", "most"),
    [
        (_size(4), {}, 4, 4),
        (_size("s1", 2), {"s1": (2, None)}, None, None),
        (_size("s1", 2), {"s1": (1, 8)}, None, 8),
        (_size("s1", 6), {"s1": (5, 8)}, 5, 8),
    ],
)
def test_samples(
    samples: dict[str, Any], ranges: Ranges, batch: int | None, most: int | None
) -> None:
    found = read_constraints(_program(samples, _size(1), _size(8), _size(8), ranges=ranges))
    assert (found.batch, found.most_samples) == (batch, most)


def test_volumes_and_open_channels() -> None:
    sizes = [_size(1), _size("s1", 2), _size(8), _size(16), _size(32)]
    found = read_constraints(_program(*sizes, ranges=ANY))
    assert (found.spatial_dims, found.in_channels) == (3, None)
    assert found.sizes == ValidSizes.fixed((8, 16, 32))


def test_inputs_that_are_refused() -> None:
    with pytest.raises(RefusedProgramError, match="its input has the axes 1×64×64"):
        read_constraints(_program(_size(1), _size(64), _size(64)))
    with pytest.raises(RefusedProgramError, match="does not say on which size it was exported"):
        read_constraints(_program(_size(1), _size(1), _size("s1"), _size(64), ranges=ANY))


@pytest.mark.parametrize("text", ["Pow(10,16)", "Mod(64,0)", "True", "64"])
def test_an_expression_of_numbers_only_is_the_example(text: str) -> None:
    found = read_constraints(
        _program(_size(1), _size(1), _size(text, 64), _size("s2", 64), ranges=ANY)
    )
    assert found.sizes.minimum[0] == 64
    assert found.sizes.step[0] == 0


def test_very_many_conditions_fix_the_sizes() -> None:
    def read(guards: list[str]) -> ValidSizes:
        sizes = (_size(1), _size(1), _size("s1", 64), _size("s2", 64))
        return read_constraints(_program(*sizes, ranges=ANY, guards=guards)).sizes

    same = [f"{Y} % 4 == 0"] * 100_000
    assert read(same) == read(same[:1]) != ValidSizes.fixed((64, 64))
    assert read([f"{Y} > -{n}" for n in range(20_000)]) == ValidSizes.fixed((64, 64))


@pytest.mark.parametrize(
    "size", [_size(0), _size(-5), _size(2**40), _size("s1", -1), _size(f"{2**62}*s1", 2**62)]
)
def test_sizes_that_no_example_had(size: dict[str, Any]) -> None:
    with pytest.raises(RefusedProgramError, match="does not say on which size it was exported"):
        read_constraints(_program(_size(1), _size(1), size, _size(64), ranges=ANY))
