"""Kernels that exported programs need and that trust their arguments, with the checks they lack.

Programs that were taken apart (``run_decompositions``) call kernels below PyTorch's public
operations. Some of these read and write beyond their memory where their arguments do not fit, so
that each of their calls goes through a function here, which looks at the sizes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from napari_tessera.models.aten import DIVISIONS, RANDOM
from napari_tessera.models.exported.refusal import RefusedProgramError

_TYPES = ("ScalarType", "Layout", "MemoryFormat")
_PLAIN = (torch.dtype, torch.layout, torch.memory_format)

_RANDOM = RANDOM | {"aten::native_dropout"}

_ATEN = torch.ops.aten


def check_calls(program: fx.GraphModule) -> None:
    """Put the checks into a program, before it runs for the first time.

    Raises
    ------
    RefusedProgramError
        If an operation is given a number as a type of numbers or as a layout, writes its result
        to a place of its own, or draws random numbers.
    """
    for module in program.modules():
        if not isinstance(module, fx.GraphModule):
            continue
        for node in module.graph.nodes:
            if isinstance(node.target, torch._ops.OpOverload):
                _check_arguments(node.target, _given(node, node.target))
                node.target = CHECKED.get(node.target, node.target)
        module.recompile()


def _given(node: fx.Node, operation: torch._ops.OpOverload) -> dict[str, Any]:
    """Arguments of a call by their names, the defaults of those left out included."""
    given = {}
    for number, argument in enumerate(operation._schema.arguments):
        if argument.name in node.kwargs:
            given[argument.name] = node.kwargs[argument.name]
        elif not argument.kwarg_only and number < len(node.args):
            given[argument.name] = node.args[number]
        else:
            given[argument.name] = argument.default_value
    return given


def _check_arguments(operation: torch._ops.OpOverload, given: dict[str, Any]) -> None:
    schema = operation._schema
    for argument in schema.arguments:
        value = given[argument.name]
        if argument.is_out:
            raise RefusedProgramError(f"it writes a result of {operation} to a place of its own")
        kind = str(argument.real_type).removeprefix("Optional[").removesuffix("]")
        is_plain = value is None or isinstance(value, _PLAIN) or value == argument.default_value
        if kind in _TYPES and not is_plain:
            raise RefusedProgramError(
                f"it uses {operation} with a {argument.name} that there is not"
            )
    if schema.name in DIVISIONS and str(schema.arguments[0].type) != "Tensor":
        # the processor stops the process at a division by 0
        raise RefusedProgramError(f"it divides numbers with {operation}")
    if schema.name == "aten::to" and schema.overload_name.startswith("prim_"):
        # it reads the type to convert to even where there is none
        raise RefusedProgramError(f"it uses {operation}, which is of TorchScript")
    trains = given.get("train", given.get("training")) is not False
    if given.get("dropout_p", 0) != 0 or (schema.name in _RANDOM and trains):
        raise RefusedProgramError(f"it draws random numbers when it runs ({operation})")


def _check(operation: Any, fits: bool) -> None:
    if not fits:
        raise ValueError(f"{operation} is called with sizes that do not fit")


def _statistics(operation: Any, needs_running: bool) -> Callable[..., Any]:
    """Batch normalization: a number for each channel in each of the tensors."""

    def call(image: Tensor, weight: Any, bias: Any, *rest: Any) -> Any:
        tensors = [weight, bias, *(one for one in rest[:2] if isinstance(one, Tensor | None))]
        _check(operation, image.dim() >= 2)
        given = [one for one in tensors if one is not None]
        _check(operation, all(tuple(one.shape) == (image.shape[1],) for one in given))
        if needs_running:
            _check(operation, all(isinstance(one, Tensor) for one in rest[:2]))
        return operation(image, weight, bias, *rest)

    return call


def _weight_norm(operation: Any) -> Callable[..., Any]:
    def call(direction: Tensor, length: Tensor, dim: int = 0) -> Any:
        _check(operation, -1 <= dim < direction.dim())
        if dim >= 0:
            expected = [1] * direction.dim()
            expected[dim] = direction.shape[dim]
            _check(operation, list(length.shape) == expected)
        return operation(direction, length, dim)

    return call


def _attention(operation: Any) -> Callable[..., Any]:
    def call(query: Tensor, key: Tensor, value: Tensor, *rest: Any, **named: Any) -> Any:
        fits = query.dim() == key.dim() == value.dim() == 4 and key.shape[:3] == value.shape[:3]
        fits = fits and query.shape[:2] == key.shape[:2] and query.shape[3] == key.shape[3]
        _check(operation, fits and query.shape[3] == value.shape[3])
        mask = named.get("attn_mask")
        if mask is not None:
            full = (*query.shape[:3], key.shape[2])
            at_end = full[-mask.dim() :]
            _check(operation, 2 <= mask.dim() <= 4)
            _check(operation, all(m in (1, n) for m, n in zip(mask.shape, at_end, strict=True)))
        return operation(query, key, value, *rest, **named)

    return call


def _fourier(operation: Any) -> Callable[..., Any]:
    def call(image: Tensor, dim: list[int], normalization: int, last: Any) -> Any:
        axes = [axis % image.dim() for axis in dim if -image.dim() <= axis < image.dim()]
        _check(operation, 0 < len(set(axes)) == len(dim) and normalization in (0, 1, 2))
        if operation is _ATEN._fft_c2r.default:
            _check(operation, image.is_complex() and 0 < last // 2 + 1 <= image.shape[axes[-1]])
        else:
            _check(operation, image.is_complex() == (operation is _ATEN._fft_c2c.default))
        _check(operation, image.numel() > 0)
        return operation(image, dim, normalization, last)

    return call


CHECKED: Mapping[Any, Callable[..., Any]] = {
    **{
        operation: _statistics(operation, needs_running)
        for operation, needs_running in (
            (_ATEN.native_batch_norm.default, True),
            (_ATEN._native_batch_norm_legit.default, True),
            (_ATEN._native_batch_norm_legit.no_stats, False),
            (_ATEN._native_batch_norm_legit_functional.default, True),
            (_ATEN._native_batch_norm_legit_no_training.default, True),
        )
    },
    **{
        operation: _weight_norm(operation)
        for operation in (_ATEN._weight_norm.default, _ATEN._weight_norm_interface.default)
    },
    **{
        operation: _fourier(operation)
        for operation in (_ATEN._fft_c2c.default, _ATEN._fft_c2r.default, _ATEN._fft_r2c.default)
    },
    _ATEN._scaled_dot_product_flash_attention_for_cpu.default: _attention(
        _ATEN._scaled_dot_product_flash_attention_for_cpu.default
    ),
}
"""Function for each kernel that needs one."""
