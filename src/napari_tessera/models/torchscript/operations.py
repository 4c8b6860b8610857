"""Operations that TorchScript has beside those on tensors: its own language."""

from __future__ import annotations

from napari_tessera.models.aten import ATEN

_PRIM = """
    Constant If Loop GetAttr SetAttr CreateObject ListConstruct ListUnpack TupleConstruct
    TupleUnpack TupleIndex TupleSlice DictConstruct DictIndex NumToTensor RaiseException
    Uninitialized unchecked_cast unchecked_unwrap_optional isinstance min max abs data device
    dtype layout is_cuda is_cpu is_mps is_sparse is_quantized is_mkldnn is_meta is_nested
    requires_grad rangelist tolist EnumName EnumValue ModuleContainerIndex StringIndex
    itemsize nbytes shape type
"""

PRIM = frozenset(_PRIM.split())
"""Allowed names of ``prim::…``, written ``ops.prim.…`` in a file.

Left out are ``Print``, ``fork`` and ``awaitable`` (threads), ``rpc_async`` (other machines),
``PythonOp`` and ``CallFunction`` of what the file does not define.
"""

KINDS = frozenset({f"aten::{name}" for name in ATEN} | {f"prim::{name}" for name in PRIM})
"""Allowed kinds of the nodes of a compiled graph."""
