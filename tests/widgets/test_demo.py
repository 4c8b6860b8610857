"""The demo as people run it, on a smaller piece of its sample."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image

from napari_tessera.widgets import demo
from napari_tessera.widgets.demo_run import PICTURE, STORE, WINDOW
from napari_tessera.widgets.demo_screen import VIRTUAL_SIZE, virtual_display

needs_xvfb = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="there is no Xvfb here")

SMALLER = """
import sys
from pathlib import Path
from napari_tessera.widgets import demo
make = demo.noisy_3dt
demo.noisy_3dt = lambda: [(data[:2, :{planes}], look, kind) for data, look, kind in make()]
sys.exit(demo.run_demo(Path({folder!r})))
"""


def smaller_demo(folder: Path, planes: int, **variables: str) -> subprocess.Popen[str]:
    """Start the demo on 2 time points of some planes, without a screen but for ``variables``."""
    screens = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "CI"}
    environment = {name: value for name, value in os.environ.items() if name not in screens}
    return subprocess.Popen(
        [sys.executable, "-c", SMALLER.format(planes=planes, folder=str(folder))],
        env={**environment, "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(output: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in output.splitlines())


def check_results(folder: Path, output: str) -> None:
    """What is written is there and is what was said of it."""
    lines = said(output)
    store = zarr.open_group(folder / STORE, mode="r")
    assert lines["result"] == str(folder / STORE)
    assert store.attrs["napari_tessera"]["completed"] is True
    scale = store.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]
    assert scale["scale"] == pytest.approx([30.0, 1.0, 0.325, 0.325])
    assert np.isfinite(np.asarray(store["0"][...])).all()
    found = re.fullmatch(r"from ([\d.]+) to ([\d.]+) dB, against the clean version", lines["PSNR"])
    assert found is not None
    before, after = (float(text) for text in found.groups())
    assert after > before + 8
    with Image.open(folder / PICTURE) as picture:
        assert picture.width > 3 * 256
    assert lines["picture"] == str(folder / PICTURE)


@pytest.mark.slow
def test_headless(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    # a path without Xvfb
    process = smaller_demo(folder, 2, PATH=str(tmp_path), CI="true")
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "none: this machine has no screen" in said(output)["screen"]
    check_results(folder, output)
    assert not (folder / WINDOW).exists()
    # a second demo replaces what the first one left
    first = (folder / PICTURE).read_bytes()
    again = smaller_demo(folder, 2, PATH=str(tmp_path), CI="true")
    output, errors = again.communicate()
    assert (again.returncode, errors) == (0, "")
    assert (folder / PICTURE).read_bytes() == first


@pytest.mark.slow
@needs_xvfb
def test_in_a_virtual_screen(tmp_path: Path) -> None:
    process = smaller_demo(tmp_path, 3)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert said(output)["screen"].startswith("a virtual one")
    check_results(tmp_path, output)
    assert said(output)["window"] == str(tmp_path / WINDOW)
    with Image.open(tmp_path / WINDOW) as window:
        assert window.size == VIRTUAL_SIZE
        assert len(window.convert("RGB").getcolors(2**24)) > 200, "the window is empty"


@pytest.mark.slow
@needs_xvfb
def test_on_a_screen_the_window_stays_until_it_is_interrupted(tmp_path: Path) -> None:
    with virtual_display(shutil.which("Xvfb") or "") as display:
        assert display is not None
        process = smaller_demo(tmp_path, 2, DISPLAY=display)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("window"):
                break
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert said("".join(lines))["screen"] == "that of this machine"
    check_results(tmp_path, "".join(lines))


@pytest.mark.slow
@needs_xvfb
def test_terminated_in_the_middle(tmp_path: Path) -> None:
    process = smaller_demo(tmp_path, 12)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("model"):
            break
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate()
    assert process.returncode == 143, errors
    assert "stopped" in errors
    assert "PSNR" not in said(output)
    assert not (tmp_path / PICTURE).exists()


def test_what_is_not_the_demo_s_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / STORE).mkdir()
    (tmp_path / STORE / "measurement").write_text("years of work")
    with pytest.raises(FileExistsError, match="no result of this demo"):
        demo.run_demo(tmp_path)
    foreign = zarr.open_group(tmp_path / "other" / STORE, mode="w")
    foreign.attrs["ome"] = {}
    with pytest.raises(FileExistsError, match="--output"):
        demo.run_demo(tmp_path / "other")
    assert (tmp_path / STORE / "measurement").read_text() == "years of work"
