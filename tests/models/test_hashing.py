from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.globals import used_globals
from napari_tessera.models.hashing import hash_callable, hash_file, hash_module


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    assert hash_file(path) == hashlib.sha256(b"bytes").hexdigest()


def _module(seed: int = 0, **settings: Any) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3, **settings), nn.BatchNorm2d(2))


def test_modules_are_known_by_weights_and_structure() -> None:
    first = hash_module(_module())
    assert first == hash_module(_module())
    assert first != hash_module(_module(1))
    assert first != hash_module(_module(padding=1))
    changed = _module()
    changed[1].running_mean += 1
    assert first != hash_module(changed)
    assert first != hash_module(_module().half())
    assert hash_module(nn.ReLU()) != hash_module(nn.Tanh())


def test_modules_are_known_by_their_code() -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2

    first = hash_module(Twice())

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return x * 3

    Twice.forward = forward  # type: ignore[method-assign]
    assert hash_module(Twice()) != first


def test_modules_are_known_by_their_attributes_and_other_methods() -> None:
    class Times(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: Tensor) -> Tensor:
            return self.changed(x)

        def changed(self, x: Tensor) -> Tensor:
            return x * self.factor

    first = hash_module(Times(2))
    assert first == hash_module(Times(2))
    assert first != hash_module(Times(3))
    assert hash_module(nn.Sequential(Times(2))) != hash_module(nn.Sequential(Times(3)))

    def changed(self: Times, x: Tensor) -> Tensor:
        return x + self.factor

    Times.changed = changed  # type: ignore[method-assign]
    assert hash_module(Times(2)) != first


def test_programs(export: Callable[..., torch.jit.ScriptModule]) -> None:
    plain = [export(nn.Sequential(nn.ReLU())), export(nn.Sequential(nn.ReLU()))]
    assert hash_module(plain[0]) == hash_module(plain[1])
    assert hash_module(plain[0]) != hash_module(export(nn.Sequential(nn.Tanh())))


def _times(factor: object) -> Callable[[Any], Any]:
    return lambda x: x * factor


class _Scale:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.factor

    def method(self, x: Tensor) -> Tensor:
        return x * self.factor


@pytest.mark.parametrize(
    "make",
    [
        _times,
        lambda f: functools.partial(np.multiply, f),
        lambda f: functools.partial(_times, keyword=f),
        _Scale,
        lambda f: _Scale(f).method,
        lambda f: _times(np.full(3, f)),
        lambda f: _times({"a": [torch.full((2,), float(f))]}),
        lambda f: lambda x, g=f: x * g,
    ],
)
def test_functions_are_known_by_what_they_carry(make: Callable[[float], Any]) -> None:
    assert hash_callable(make(2)) == hash_callable(make(2))
    assert hash_callable(make(2)) != hash_callable(make(3))


def test_functions_are_known_by_code_and_name() -> None:
    assert hash_callable(np.sqrt) != hash_callable(np.exp)
    assert hash_callable(lambda x: x + 1) != hash_callable(lambda x: x + 2)
    assert hash_callable(torch.relu) == hash_callable(torch.relu)
    network = _module()
    assert hash_callable(network.forward) != hash_callable(_module(1).forward)


def test_cycles_end() -> None:
    carried: list[Any] = []
    carried.append(carried)
    assert hash_callable(_times(carried)) == hash_callable(_times(carried))
    scale = _Scale(1)
    scale.me = scale  # type: ignore[attr-defined]
    assert len(hash_callable(scale)) == 64


def test_functions_are_known_by_the_globals_that_they_read() -> None:
    code = """
import numpy as np
def helper(x):
    return net(x) * scale
def use(x):
    return [helper(y) for y in (x,)][0] + np.float32(offset)
def other(x):
    return other_way(x)
def other_way(x):
    return other(x)
class Caller:
    def __call__(self, x):
        return helper(x)
caller = Caller()
def lazy(x):
    global cache
    if cache is None:
        cache = net
    calls.append(1)
    return cache(x)
"""

    def program(**values: Any) -> dict[str, Any]:
        known = {"net": _module(), "scale": 2, "offset": np.ones(3), "cache": None, "calls": []}
        there: dict[str, Any] = {**known, **values}
        exec(code, there)
        return there

    same = hash_callable(program()["use"])
    assert hash_callable(program(cache=3)["use"]) == same
    for changed in ({"net": _module(1)}, {"scale": 3}, {"offset": np.zeros(3)}):
        assert hash_callable(program(**changed)["use"]) != same
    called = hash_callable(program()["caller"])
    assert hash_callable(program(scale=3)["caller"]) != called
    # what the function sets itself, or fills, is none of what it is
    there = program()
    lazy = hash_callable(there["lazy"])
    there["cache"], there["calls"] = there["net"], [1]
    assert hash_callable(there["lazy"]) == lazy
    assert len(hash_callable(there["other"])) == 64


def test_globals_of_installed_packages_are_left_alone() -> None:
    assert used_globals(np.pad) == []
    assert used_globals(functools.update_wrapper) == []
    assert used_globals(torch.relu) == []
    assert [name for name, _ in used_globals(_uses_a_global)] == ["FACTOR", "_times"]


FACTOR = 3.0


def _uses_a_global(x: Any) -> Any:
    return _times(FACTOR)(nn.Identity()(x))
