from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_tessera import open_stack
from napari_tessera.stacks import (
    ArrayStack,
    ImageStack,
    TiffStack,
    register_stack,
    unregister_stack,
)

Open = Callable[..., ImageStack | None]


@pytest.fixture
def registered() -> Iterator[Callable[[Open], Open]]:
    """Register for the length of a test."""
    openers = []

    def register(opener: Open) -> Open:
        openers.append(register_stack(opener))
        return opener

    yield register
    for opener in openers:
        unregister_stack(opener)


def ones(source: Any, axes: Any = None, **_: Any) -> ImageStack:
    return ArrayStack(np.ones((4, 5)), axes or "YX", source="ones")


def test_sees_every_source_and_every_argument(registered: Any, tmp_path: Path) -> None:
    seen = []

    @registered
    def look(source: Any, axes: str | None, *, channels: Sequence[int] | None, level: int) -> None:
        seen.append((source, axes, channels, level))

    tifffile.imwrite(tmp_path / "a.tif", np.eye(8))
    array, own = np.eye(8), object()
    open_stack(array, "YX", channels=[0])
    open_stack(tmp_path / "a.tif").close()  # type: ignore[attr-defined]
    for other in (own, "none.tif#3"):
        with pytest.raises((ValueError, FileNotFoundError)):
            open_stack(other, level=2)
    assert seen[0][0] is array
    assert seen[0][1:] == ("YX", [0], 0)
    assert [source for source, *_ in seen[1:]] == [tmp_path / "a.tif", own, "none.tif#3"]
    assert seen[-1][1:] == (None, None, 2)


def test_comes_before_what_is_built_in(registered: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.eye(8))
    registered(ones)
    assert open_stack(tmp_path / "a.tif").source == "ones"
    unregister_stack(ones)
    with open_stack(tmp_path / "a.tif") as stack:
        assert isinstance(stack, TiffStack)
    register_stack(ones)


def test_the_latest_comes_first_and_only_once(registered: Any) -> None:
    asked = []

    def asks(name: str) -> Open:
        def opener(source: Any, axes: Any, **_: Any) -> None:
            asked.append(name)

        return opener

    first, second = registered(asks("first")), registered(asks("second"))
    with pytest.raises(ValueError, match="no image that can be opened"):
        open_stack(None)
    assert asked == ["second", "first"]
    register_stack(first)
    with pytest.raises(ValueError, match="no image that can be opened"):
        open_stack(None)
    assert asked[2:] == ["first", "second"]
    assert second is not first


def test_an_open_stack_is_not_opened_again(registered: Any) -> None:
    registered(ones)
    stack = ArrayStack(np.eye(8), "YX")
    assert open_stack(stack) is stack


def test_what_an_opener_raises_comes_out_as_it_is(registered: Any) -> None:
    @registered
    def fails(source: Any, axes: Any, **_: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        open_stack(np.eye(8))


def test_an_opener_that_gives_something_else_is_named(registered: Any) -> None:
    @registered
    def gives_an_array(source: Any, axes: Any, **_: Any) -> Any:
        return np.eye(8)

    with pytest.raises(ValueError, match="gives_an_array gave ndarray, which is neither an ImageS"):
        open_stack("a.tif")


def test_axes_that_were_asked_for_are_not_forgotten(registered: Any) -> None:
    @registered
    def movie(source: Any, axes: Any, **_: Any) -> ImageStack:
        return ArrayStack(np.ones((3, 4, 5)), "TYX", source="movie")

    assert open_stack("x", "TYX").original_axes == "TYX"
    assert open_stack("x", "ZYX").data_shape == (1, 1, 3, 4, 5)
    with pytest.raises(ValueError, match="movie is open with axes TYX, not CYX"):
        open_stack("x", "CYX")


class Closes(ArrayStack):
    """A movie that tells when it is closed."""

    def __init__(self) -> None:
        super().__init__(np.ones((3, 4, 5)), "TYX", source="movie")
        self.times_closed = 0

    def close(self) -> None:
        super().close()
        self.times_closed += 1


def test_channels_that_an_opener_forgets(registered: Any) -> None:
    opened = []

    @registered
    def forgets(source: Any, axes: Any, **_: Any) -> ImageStack:
        opened.append(Closes())
        return opened[-1]

    with pytest.raises(ValueError, match=r"forgets gave 1 channels where 2 were asked for; leave"):
        open_stack("x", channels=[1, 0])
    assert opened[-1].times_closed == 1
    assert open_stack("x", channels=[0]) is opened[-1]


def test_what_was_opened_is_closed(registered: Any) -> None:
    opened = []

    @registered
    def movie(source: Any, axes: Any, **_: Any) -> ImageStack:
        opened.append(Closes())
        return opened[-1]

    with pytest.raises(ValueError, match="movie is open with axes TYX, not CYX"):
        open_stack("x", "CYX")
    assert opened.pop().times_closed == 1
    stack: Any = open_stack("x", "ZYX")
    with stack as depth:
        assert depth.extract_patch(0, None, (0, 0, 0), (3, 4, 5)).all()
        assert opened[-1].times_closed == 0
    assert opened[-1].times_closed == 1
    # what somebody else opened stays open
    movie_of_mine = Closes()
    view: Any = open_stack(movie_of_mine, "ZYX")
    with view:
        pass
    assert movie_of_mine.times_closed == 0


def test_what_cannot_be_called_or_is_not_registered() -> None:
    with pytest.raises(ValueError, match="3 cannot be called; register a function"):
        register_stack(3)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="is not registered"):
        unregister_stack(ones)


def test_threads_may_register_at_once() -> None:
    def one(number: int) -> Open:
        def opener(source: Any, axes: Any, **_: Any) -> ImageStack | None:
            return ones(source) if source == f"number {number}" else None

        return opener

    openers = [one(number) for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(register_stack, openers))
        for number in range(64):
            assert open_stack(f"number {number}").source == "ones"
        list(threads.map(unregister_stack, openers))
    with pytest.raises(FileNotFoundError):
        open_stack("number 3")


PACKAGE = """
from pathlib import Path

import numpy as np

from napari_tessera.stacks import ArrayStack


def open_xyz(source, axes, *, channels, level):
    if not str(source).endswith(".xyz"):
        return None
    rows = [line.split() for line in Path(source).read_text().splitlines()]
    pixels = np.array(rows, dtype="uint16")
    return ArrayStack(pixels, axes or "YX", source=str(source), channels=channels)
"""


def install(folder: Path, name: str, module: str, code: str, opener: str) -> None:
    """What pip leaves in site-packages of a package with an entry point."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(dedent(code))
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        f"[napari_tessera.stacks]\n{module} = {module}:{opener}\n"
    )


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder of packages beside those that are installed."""
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def xyz(tmp_path: Path) -> Path:
    (tmp_path / "image.xyz").write_text("1 2 3\n4 5 6\n")
    return tmp_path / "image.xyz"


def test_an_installed_package_adds_a_format(xyz: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    install(packages, "xyz-format", "xyz_format", PACKAGE, "open_xyz")
    code = f"""
        from napari_tessera import cli, open_stack
        status = cli.run(["info", {str(xyz)!r}, "--json"])
        stack = open_stack({str(xyz)!r})
        print(status, stack, stack.extract_patch(0, None, (0, 1), (2, 3)).tolist())
    """
    told = run(packages, "-c", dedent(code))
    assert told.returncode == 0, told.stderr
    facts, opened = told.stdout.rsplit("}", 1)
    assert json.loads(facts + "}")["shape"] == [2, 3]
    assert opened.strip() == f"0 <ArrayStack {xyz}: Y2 X3 uint16> [[[2, 3, 0], [5, 6, 0]]]"


NWB = """
from pathlib import Path

import numpy as np

from napari_tessera.stacks import ArrayStack


def open_nwb(source, axes, *, channels, level):
    if not str(source).endswith(".nwb"):
        return None
    import h5py

    with h5py.File(source) as file:
        return ArrayStack(file["movie"][:], "TYX", source=str(source), channels=channels)
"""


def test_a_package_may_know_better_what_a_known_kind_holds(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for name in ("a.nwb", "a.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["movie"], file["events"] = np.ones((3, 4, 5)), np.ones((7, 8))
    packages = tmp_path / "packages"
    install(packages, "nwb-format", "nwb_format", NWB, "open_nwb")
    tifffile.imwrite(tmp_path / "a.tif", np.eye(8))
    code = f"""
        import sys
        from napari_tessera import open_stack
        # no package is imported for what opens without one
        open_stack({str(tmp_path / "a.tif")!r}).close()
        print("nwb_format" in sys.modules)
        print(open_stack({str(tmp_path / "a.nwb")!r}))
        try:
            open_stack({str(tmp_path / "a.h5")!r})
        except ValueError as error:
            print(error)
    """
    told = run(packages, "-c", dedent(code))
    assert told.returncode == 0, told.stderr
    imported, opened, refused = told.stdout.splitlines()
    assert imported == "False"
    assert opened == f"<ArrayStack {tmp_path / 'a.nwb'}: T3 Y4 X5 float64>"
    assert "movie" in refused
    assert "events" in refused


BROKEN = {
    "absent": ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_mod"),
    "empty": ("def other(): pass", "AttributeError: module 'empty' has no attribute 'opener'"),
    "fails": ("def opener(source, axes, **_): raise OSError('disk')", "OSError: disk"),
    "three": (
        "def opener(source, axes, **_): return 3",
        "ValueError: .*gave int, which is neither",
    ),
    "wrong": ("def opener(): pass", "TypeError: opener"),
}


def test_broken_packages_are_named_and_break_nothing(xyz: Path, tmp_path: Path) -> None:
    broken, working = tmp_path / "broken", tmp_path / "working"
    for module, (code, _) in BROKEN.items():
        install(broken, f"a-{module}-one", module, code, "opener")
    install(working, "xyz-format", "xyz_format", PACKAGE, "open_xyz")
    tifffile.imwrite(tmp_path / "a.tif", np.eye(8))
    script = f"""
        import sys
        from napari_tessera import open_stack
        print(open_stack({str(tmp_path / "a.tif")!r}).data_shape)
        try:
            open_stack({str(xyz)!r})
        except ValueError as error:
            print(error)
        sys.path.append({str(working)!r})
        print(open_stack({str(xyz)!r}))
    """
    told = run(broken, "-c", dedent(script))
    assert told.returncode == 0, told.stderr
    shape, line, stack = told.stdout.strip().splitlines()
    assert shape == "(1, 1, 8, 8)"
    for module, (_, reason) in BROKEN.items():
        name = rf"the opener '{module}' of the package a-{module}-one 1\.2"
        assert re.search(rf"{name} failed: {reason}", line), line
    assert str(xyz) in line
    assert stack == f"<ArrayStack {xyz}: Y2 X3 uint16>"
