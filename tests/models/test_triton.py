"""Training and exported programs where Triton and software OpenGL's LLVM meet."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LLVM = next(iter(sorted(Path("/usr/lib").glob("*/libLLVM*.so*"))), None)

PROGRAM = """
import ctypes, importlib.util, sys, warnings
warnings.simplefilter("ignore")
ctypes.CDLL(sys.argv[2])
sys.path.insert(0, sys.argv[1])
import torch
{work}
assert "torch._dynamo" in sys.modules
assert importlib.util.find_spec("triton") is None
print("lives")
"""

TRAINING = """
from napari_tessera.models.architectures import UNet, UNetSettings
from napari_tessera.training import TrainingSettings
from napari_tessera.training.loop.stepping import Stepper
settings = TrainingSettings(batch_size=1)
Stepper(UNet(UNetSettings(spatial_dims=2)), settings, torch.device("cpu"), "float32")
"""

LOADING = """
from napari_tessera import load_model
load_model(sys.argv[3], device="cpu")
"""


def lives(work: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program with Mesa's LLVM in its process, and a Triton that would end it."""
    package = folder / "triton"
    package.mkdir()
    (package / "__init__.py").write_text("import os\nos.abort()\n")
    program = PROGRAM.format(work=work)
    return subprocess.run(
        [sys.executable, "-c", program, str(folder), str(LLVM), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(LLVM is None, reason="no OpenGL of Mesa's with LLVM is installed here")
class TestBesideLlvm:
    def test_training_does_not_end_the_process(self, tmp_path: Path) -> None:
        ended = lives(TRAINING, tmp_path)
        assert (ended.returncode, ended.stdout) == (0, "lives\n"), ended.stderr

    def test_an_exported_program_does_not_end_the_process(self, tmp_path: Path) -> None:
        import torch

        program = torch.export.export(torch.nn.ReLU(), (torch.zeros(1, 1, 16, 16),))
        torch.export.save(program, tmp_path / "net.pt2")
        ended = lives(LOADING, tmp_path, str(tmp_path / "net.pt2"))
        assert (ended.returncode, ended.stdout) == (0, "lives\n"), ended.stderr

    def test_a_triton_of_this_kind_would(self, tmp_path: Path) -> None:
        ended = lives("torch.optim.AdamW([torch.zeros(1, requires_grad=True)])", tmp_path)
        assert ended.returncode == -signal.SIGABRT
