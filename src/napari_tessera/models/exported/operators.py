"""The operations that a torch.export program may use: those that only compute.

PyTorch looks a program's operations up by name, anywhere below ``torch``, ``math`` and
``operator``: ``torch.serialization.os.system`` is one such name. So each is looked up here first.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from napari_tessera.models.aten import ATEN
from napari_tessera.models.errors import shown
from napari_tessera.models.exported.refusal import RefusedProgramError

_EXPORTED_ONLY = """
    sym_size sym_stride sym_numel sym_storage_offset sym_constrain_range
    sym_constrain_range_for_size sym_is_contiguous _assert_scalar _assert_tensor_metadata
    _assert_async _local_scalar_dense _native_batch_norm_legit_no_training _native_batch_norm_legit
    _native_batch_norm_legit_functional native_batch_norm _weight_norm_interface
    _scaled_dot_product_flash_attention_for_cpu _fused_rms_norm _safe_softmax _unsafe_index_put
    _unsafe_masked_index _reshape_copy alias_copy detach_copy expand_copy permute_copy slice_copy
    split_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy
    unsqueeze_copy view_copy select_copy diagonal_copy empty_permuted _fft_r2c _fft_c2r _fft_c2c
    native_dropout
"""
"""Names of ``aten`` that stand in exported programs and not in TorchScript."""

_KNOWN = ATEN | frozenset(_EXPORTED_ONLY.split())

_SYMBOLIC = frozenset(
    {
        "math.trunc",
        *(f"torch.sym_{name}" for name in ("not", "int", "float", "ite", "max", "min", "sqrt")),
        *(
            f"_operator.{name}"
            for name in (
                *("eq", "ne", "le", "ge", "lt", "gt", "neg", "pos", "mul", "add", "sub"),
                *("floordiv", "mod", "truediv", "and_", "or_", "pow"),
            )
        ),
    }
)
"""Arithmetic on sizes."""

_OVERLOAD = re.compile(r"torch\.ops\.aten\.([A-Za-z0-9_]{1,80})\.([A-Za-z][A-Za-z0-9_]{0,80})")

SUBGRAPHS = frozenset(
    f"torch.ops.higher_order.{name}"
    for name in ("wrap_with_set_grad_enabled", "wrap_with_autocast", "cond")
)
"""Operations that run graphs of the program itself, which are checked as well."""


def check_operator(target: object) -> str:
    """Refuse an operation that is not on the list; return its name.

    Raises
    ------
    RefusedProgramError
        Naming the operation.
    """
    if not isinstance(target, str):
        raise RefusedProgramError("one of its operations has no name")
    if target in _SYMBOLIC or target in SUBGRAPHS:
        return target
    found = _OVERLOAD.fullmatch(target)
    if found is None:
        if target.startswith("torch.ops."):
            raise RefusedProgramError(f"it needs the custom operation {shown(target, 80)}")
        raise RefusedProgramError(f"it calls {target[:80]!r}, which is no operation on tensors")
    name, overload = found.groups()
    if name not in _KNOWN:
        raise RefusedProgramError(f"it uses the operation aten.{name}")
    packet: Any = getattr(torch.ops.aten, name, None)
    if not isinstance(getattr(packet, overload, None), torch._ops.OpOverload):
        raise RefusedProgramError(
            f"it uses aten.{name}.{overload}, which PyTorch {torch.__version__} does not have",
            "Update PyTorch",
        )
    return target
