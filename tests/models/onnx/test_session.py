from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import onnxruntime
import pytest
import torch

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.loaded import Placeable
from napari_tessera.models.onnx import load_onnx

Make = Callable[..., Any]


def _sessions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads of each session that is made from now on."""
    made: list[int] = []
    real = onnxruntime.InferenceSession

    def make(content: bytes, options: Any, **settings: Any) -> Any:
        made.append(options.intra_op_num_threads)
        return real(content, options, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", make)
    return made


def test_the_number_of_threads_is_pytorchs(
    make_unet: Make, unet_model: Make, write: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _sessions(monkeypatch)
    network = load_onnx(write(unet_model(make_unet()))).network
    image = torch.randn(1, 1, 64, 64)
    first = network(image)
    assert torch.equal(network(image), first)
    assert made == [1]
    torch.set_num_threads(2)
    second = network(image)
    assert made == [1, 2]
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_two_users_with_their_own_numbers_of_threads_make_no_sessions_in_turns(
    make_unet: Make, unet_model: Make, write: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _sessions(monkeypatch)
    network = load_onnx(write(unet_model(make_unet()))).network
    image = torch.randn(1, 1, 32, 32)
    for threads in (1, 2, 1, 2, 1, 3, 1, 2):
        torch.set_num_threads(threads)
        network(image)
    # the third number drops the one that was used longest ago
    assert made == [1, 2, 3, 2]


def test_several_threads_may_call_it(make_unet: Make, unet_model: Make, write: Make) -> None:
    network = load_onnx(write(unet_model(make_unet()))).network
    images = [torch.randn(1, 1, 32, 32) for _ in range(8)]
    expected = [network(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for answer, right in zip(pool.map(network, images), expected, strict=True):
            assert torch.equal(answer, right)


def test_the_batch_is_left_as_it_is(graph: Make, write: Make) -> None:
    made = graph()
    network = load_onnx(write(made.model(made.add("Relu", "image")))).network
    batch = torch.full((1, 1, 4, 4), -1.0)
    assert float(network(batch).sum()) == 0
    assert float(batch.sum()) == -16
    # a view that is not contiguous
    assert torch.equal(network(-batch.expand(2, 3, 4, 4)[:, :1, ::2]), torch.ones(2, 1, 2, 4))


def test_other_devices_are_named(graph: Make, write: Make) -> None:
    made = graph()
    path = write(made.model(made.add("Relu", "image")))
    network = load_onnx(path).network
    assert isinstance(network, Placeable)
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(RuntimeError, match="does not run on cuda: install onnxruntime-gpu"):
        network.placed_on(torch.device("cuda"))
    with pytest.raises(RuntimeError, match="does not run on mps"):
        network.placed_on(torch.device("mps"))


def test_it_stays_on_the_cpu_where_nobody_asks_for_more(
    graph: Make, write: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch may have a device that ONNX Runtime does not have."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    made = graph()
    path = write(made.model(made.add("Relu", "image")))
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr("napari_tessera.models.placement.resolve_device", lambda wanted: cuda)
    assert load_model(path).device == torch.device("cpu")
    with pytest.raises(ModelError, match=r"it cannot be put on cuda:0 .*Choose device cpu"):
        load_model(path, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_on_cuda(make_unet: Make, unet_model: Make, write: Make) -> None:
    path = write(unet_model(make_unet()))
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(ModelError, match="cannot be put on cuda"):
            load_model(path, device="cuda")
        return
    image = torch.randn(1, 1, 64, 64)
    expected = load_model(path, device="cpu")(image)
    answer = load_model(path, device="cuda")(image.cuda())
    assert answer.device.type == "cuda"
    torch.testing.assert_close(answer.cpu(), expected, rtol=1e-3, atol=1e-3)
