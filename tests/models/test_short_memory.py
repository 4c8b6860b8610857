"""A lack of memory is told by type, by words, and by what an error was raised from."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import nn

from napari_tessera.models.short_memory import give_back, is_out_of_memory, let_go


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB, max allowed: 6 GB)"),
        RuntimeError("Invalid buffer size: 20.00 GiB"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_what_is_a_lack_of_memory(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory is a title here"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        KeyboardInterrupt(),
    ],
)
def test_what_is_none(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_what_pytorch_really_says_on_this_cpu() -> None:
    image = torch.empty(1).expand(1, 1, 2**20, 2**18)
    with pytest.raises(RuntimeError) as failed:
        nn.Conv2d(1, 64, 3)(image)
    assert is_out_of_memory(failed.value)


def test_what_an_error_was_raised_from_counts() -> None:
    def wrapped() -> None:
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("the network failed") from error

    with pytest.raises(ValueError, match="the network failed") as failed:
        wrapped()
    assert is_out_of_memory(failed.value)
    one = ValueError("a")
    one.__cause__ = one
    assert not is_out_of_memory(one)


def test_an_error_lets_go_of_the_tensors_of_its_calls() -> None:
    kept: list[weakref.ref[torch.Tensor]] = []

    def network() -> None:
        tensor = torch.zeros(4)
        kept.append(weakref.ref(tensor))
        raise RuntimeError("out of memory\nand more")

    found: list[tuple[bool, str, bool]] = []
    gc.disable()
    try:
        try:
            network()
        except RuntimeError as error:
            held = kept[0]() is not None
            found.append((held, let_go(error), kept[0]() is not None))
    finally:
        gc.enable()
    assert found == [(True, "out of memory", False)]
    assert let_go(MemoryError()) == "MemoryError"
    give_back(torch.device("cpu"))
