from __future__ import annotations

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.exported.expressions import parsed, rewritten, symbols, value
from napari_tessera.models.exported.refusal import RefusedProgramError

SYMBOL = "Symbol('s77', positive=True, integer=True)"


@pytest.mark.parametrize(
    "text",
    [
        SYMBOL,
        f"Mul(Integer(4), {SYMBOL})",
        f"Add(Mul(Integer(-2), {SYMBOL}), Integer(3))",
        f"PythonMod(Mul(Integer(-1), {SYMBOL}), Integer(4))",
        f"FloorDiv(Add({SYMBOL}, Integer(1)), Integer(2))",
        f"Pow({SYMBOL}, Integer(2))",
        f"Max(Integer(1), {SYMBOL})",
        f"Equality({SYMBOL}, Integer(4))",
        "Float('2.5', precision=53)",
        "4*s77",
        "s0 + u1 // 2 - 3 % s2",
        "True",
        "true",
        "-3",
    ],
)
def test_what_pytorch_writes_is_printed_as_it_was(text: str) -> None:
    assert rewritten(text).replace(" ", "") == text.replace(" ", "")
    if "//" not in text and "PythonMod" not in text and "FloorDiv" not in text:
        # SymPy understands what is handed on
        sympy.sympify(rewritten(text))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "s0.diff",
        "Symbol('s0').__class__",
        "Symbol('__import__')",
        "Symbol(name='s0')",
        "Symbol(s0)",
        "Symbol('s0', cls=Function)",
        "Symbol('s0', positive=print())",
        "Symbol('s0', **s1)",
        "lambda: 1",
        "[s0]",
        "(s0,)",
        "s0 if s1 else s2",
        "s0[0]",
        "f'{s0}'",
        "'s0'",
        "Float('__import__', precision=53)",
        "Float('1.5', precision='x')",
        "Integer('4')",
        "Integer(s0)",
        "eval(s0)",
        "sympify(s0)",
        "Function(s0)",
        "os",
        "S",
        "E",
        "s0 ** 4",
        "s0 << 4",
        "s0; s1",
        "s0\ns1",
        "Add(*s0)",
        "Add(s0, key=1)",
        "Add()",
        "(s0 := 3)",
        "Pow(Integer(10), Integer(1000000000))",
        "Pow(Integer(2), s0)",
        "Pow(Pow(Pow(Pow(Integer(9), Integer(9)), Integer(9)), Integer(9)), Integer(9))",
        "99999999999999999999",
        "4j",
        "None",
        "...",
        "",
        "s0 +",
        "(" * 500 + "s0" + ")" * 500,
        "-" * 3000 + "1",
        "s0" + " " * 5000,
        4,
        None,
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(RefusedProgramError, match=r"one of its (sizes|expressions)") as raised:
        rewritten(text)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=60) | st.text("s0123456789()+-*/%., '\"_=Mul", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        printed = rewritten(text)
    except RefusedProgramError:
        return
    assert rewritten(printed) == printed


def test_symbols() -> None:
    assert symbols(parsed(f"Add({SYMBOL}, Mul(Integer(2), s3))")) == {"s77", "s3"}
    assert symbols(parsed("Integer(4)")) == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Mul(Integer(4), {SYMBOL})", 28),
        (f"Add(Mul(Integer(4), {SYMBOL}), Integer(-3))", 25),
        ("4*s77 - s77 // 2 + s77 % 4", 28),
        (f"FloorDiv({SYMBOL}, Integer(2))", 3),
        (f"Max({SYMBOL}, Integer(9))", 9),
        (f"Min({SYMBOL}, Integer(9))", 7),
        ("-s77", -7),
        ("s1", None),
        (f"FloorDiv({SYMBOL}, Integer(0))", None),
        (f"ToFloat({SYMBOL}, s77)", None),
        ("2.5", None),
    ],
)
def test_values(text: str, expected: int | None) -> None:
    assert value(parsed(text), {"s77": 7}) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"Pow(Add({','.join(f's{n}' for n in range(8))}),16)",
        "*".join(["(s1+s2+s3+s4)"] * 9),
        f"Max({','.join(f'Mul(s{n},s{n + 1})' for n in range(1, 59))})",
        f"Max({','.join(['s1+s2'] * 17)})",
        f"Add({','.join(f's{n}' for n in range(9))})",
    ],
)
def test_what_takes_long_to_work_out_is_refused(text: str) -> None:
    with pytest.raises(RefusedProgramError, match="takes too long to work out"):
        rewritten(text)


@pytest.mark.parametrize(
    "text",
    [f"{'-' * 800}s1", "Float('1e99', precision=999999999)", f"{'floor(' * 100}1{')' * 100}"],
)
def test_what_ends_the_process_is_refused(text: str) -> None:
    with pytest.raises(RefusedProgramError, match="which is no expression of sizes"):
        rewritten(text)


def test_powers_of_symbols_and_small_sums_pass() -> None:
    for text in ("Pow(s1,16)", "Pow(Add(1,FloorDiv(s1,2)),2)", "Max(1,Mul(s1,s2))"):
        rewritten(text)
