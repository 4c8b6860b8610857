"""The operations that a stranger's program may use, called with arguments that do not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_tessera.models.aten import ATEN
from napari_tessera.models.exported.checked import CHECKED
from napari_tessera.models.exported.operators import _KNOWN

_GUARDED = {operation._schema.name.removeprefix("aten::") for operation in CHECKED}
_DIVISIONS = {"remainder", "floordiv", "mathremainder"}
"""Their arguments are looked at before they are called."""


def test_random_numbers_and_kernels_that_trust_their_arguments_are_not_on_the_list() -> None:
    random = {"rand", "randn", "rand_like", "bernoulli", "normal_", "uniform_", "multinomial"}
    trusting = {"native_batch_norm", "_weight_norm_interface", "_fft_r2c", "_fft_c2r", "_fft_c2c"}
    assert not ATEN & (random | trusting | {"__round_to_zero_floordiv"})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="guarded pages are made as Linux does")
def test_no_operation_ends_the_process() -> None:
    # what works in place has the same kernel
    twice = {f"{name}_" for name in _KNOWN}
    names = sorted(_KNOWN - _GUARDED - _DIVISIONS - twice)
    script = Path(__file__).with_name("hostile_calls.py")
    done = subprocess.run(
        [sys.executable, str(script), *names], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *ended, count = done.stdout.splitlines()
    assert int(count.split()[0]) > 5_000
    assert not [line for line in ended if "signal" in line]
