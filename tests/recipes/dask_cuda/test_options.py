"""Options of the recipe for dask-cuda are those that it has; no GPU is needed to read them.

It wants a Dask of its own, and so an environment of its own: ``tox -e dask-cuda``.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

cli = pytest.importorskip(
    "dask_cuda.cli", reason="dask-cuda wants an older Dask than ours: tox -e dask-cuda"
)


def command_of(script: Path) -> list[str]:
    """Words behind ``exec``, with what the shell puts in."""
    text = script.read_text("utf-8").partition("\nexec ")[2].replace("\\\n", " ")
    given = {'"$1"': "tcp://10.0.0.5:8786", '"${2:-4}"': "4", '"${TMPDIR:-/tmp}"': "/tmp"}
    for variable, value in given.items():
        assert text.count(variable) == 1
        text = text.replace(variable, value)
    assert "$" not in text
    return shlex.split(text)


def test_the_options_are_read(pytestconfig: pytest.Config) -> None:
    words = command_of(pytestconfig.rootpath / "docs" / "recipes" / "gpu-worker.sh")
    assert words[:3] == ["dask", "cuda", "worker"]
    # refuses an option that it does not have, or a value that is none
    context = cli.worker.make_context("worker", words[3:])
    given = context.params
    assert given["scheduler"] == "tcp://10.0.0.5:8786"
    assert given["nthreads"] == 4
    assert str(given["memory_limit"]) == str(given["device_memory_limit"]) == "0"
    assert given["dashboard"] is False
    assert given["local_directory"] == "/tmp"
