from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from napari_tessera.models import ModelError, load_model


class _Doubling(torch.jit.ScriptModule):
    def __init__(self) -> None:
        super().__init__()
        self.first: Any = torch.jit.Attribute(1, int)
        doubling = "\n".join(["    n = n + n"] * 40)
        self.define(
            f"def forward(self, x):\n    n = self.first\n{doubling}\n    return x + 7 // n\n"
        )


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_numbers_made_of_themselves_are_worked_out_once_each(tmp_path: Path) -> None:
    torch.jit.save(_Doubling(), tmp_path / "net.pt")

    # asked for anew at each step, the first number would be asked for 2⁴⁰ times
    with pytest.raises(ModelError, match=r"divides .* by a number that is 0, or not known before"):
        load_model(tmp_path / "net.pt", device="cpu")
