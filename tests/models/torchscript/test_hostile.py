"""TorchScript files that end the process, or never end, where PyTorch alone loads them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.torchscript import extent
from napari_tessera.models.torchscript.objects import check_objects
from napari_tessera.models.torchscript.source import RefusedCodeError

Save = Callable[..., Path]
Rewrite = Callable[..., Path]

_COUNT = 12_345


class _Adds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("added", torch.zeros(_COUNT))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.added[0]


class _Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def _assert_refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: .*{says}") as raised:
        load_model(path, device="cpu")
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_weights_of_fewer_numbers_than_they_say(save: Save, rewrite: Rewrite) -> None:
    def edit(name: str, content: bytes) -> bytes:
        return content[:40] if name.endswith("/data/0") else content

    path = rewrite(save(_Adds()), edit)
    assert torch.jit.load(path).added.untyped_storage().nbytes() == 4 * _COUNT, "no longer wrong"
    _assert_refused(path, "12,345 numbers are said to lie where 40 bytes are. Save or download")


def test_weights_that_reach_beyond_their_storage(save: Save, rewrite: Rewrite) -> None:
    """PyTorch 2.13 happens to stop in time."""
    count = struct.pack("<H", _COUNT)

    def edit(name: str, content: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return content
        # the storage's count stands first, the tensor's after it
        assert content.count(b"M" + count) == 2
        head, _, tail = content.rpartition(b"M" + count)
        return head + b"M" + struct.pack("<H", 60_000) + tail

    path = rewrite(save(_Adds()), edit)
    _assert_refused(path, "reaches beyond the numbers that are stored")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)\x81.",
        b"\x80\x02K\x00)R.",
        b"\x80\x02(X\x07\x00\x00\x00storageK\x06X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ.",
        b"\x80\x02(\x30.",
        b"\x80\x02h\x05.",
        b"\x80\x02]2.",
    ],
    ids=["made without a call", "called by number", "kind by number", "pop", "nothing", "twice"],
)
def test_lists_of_objects_as_pytorch_never_writes_them(content: bytes) -> None:
    with pytest.raises(RefusedCodeError, match=r"damaged|Python objects"):
        check_objects(content, {"0": 4})


def _with_code(save: Save, rewrite: Rewrite, change: Callable[[str], str]) -> Path:
    def edit(name: str, content: bytes) -> bytes:
        return change(content.decode()).encode() if name.endswith(".py") else content

    return rewrite(save(_Plain()), edit)


def _body(code: str) -> tuple[str, str]:
    head, _, _ = code.partition("    return ")
    return head, head[head.index("  def forward") :]


def test_methods_that_double_each_time(save: Save, rewrite: Rewrite) -> None:
    def change(code: str) -> str:
        head, signature = _body(code)
        methods = [signature.replace("forward", "f0") + "    return torch.add(x, 1)\n"]
        for number in range(1, 40):
            call = f"(self).f{number - 1}(x, )"
            methods.append(
                signature.replace("forward", f"f{number}")
                + f"    return torch.add({call}, {call})\n"
            )
        return f"{head}    return (self).f39(x, )\n" + "".join(methods)

    _assert_refused(_with_code(save, rewrite, change), "more than 1,000,000 operations")


def test_thousands_of_operations_in_a_row(save: Save, rewrite: Rewrite) -> None:
    def change(code: str) -> str:
        return _body(code)[0] + "    x = torch.add(x, 1)\n" * 5001 + "    return x\n"

    _assert_refused(_with_code(save, rewrite, change), "more than 5,000 operations in a row")


def test_operations_in_a_row_are_counted_in_branches_too(
    save: Save, rewrite: Rewrite, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = (
        "    if torch.gt(torch.size(x, 2), 3):\n      x = torch.add(x, 1)\n"
        "    else:\n      x = torch.add(x, 2)\n"
    )

    def change(code: str) -> str:
        return _body(code)[0] + branch * 20 + "    return x\n"

    path = _with_code(save, rewrite, change)
    load_model(path, device="cpu")
    monkeypatch.setattr(extent, "LONGEST", 30)
    _assert_refused(path, "operations in a row")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("how", ["trace", "script", "script+freeze"])
@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_other_precisions_run(tmp_path: Path, dtype: torch.dtype, how: str) -> None:
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
    network = nn.Sequential(*layers).eval()
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        expected = network(image)
        if how == "trace":
            program = torch.jit.trace(network.to(dtype), image.to(dtype))
        else:
            program = torch.jit.script(network.to(dtype))
            program = torch.jit.freeze(program) if how.endswith("freeze") else program
    path = tmp_path / "net.pt"
    program.save(path)
    answer = load_model(path, device="cpu")(image)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, expected, rtol=0.05, atol=0.05)
