"""The script that tox runs first, with a recording stand-in for apt-get only."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_system_libs.py"

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the script does its work on Linux only"
)


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_system_libs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole search path: a shell, env, and what a test adds."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env", "touch", "true"):
        program = shutil.which(name)
        assert program is not None
        (folder / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add_tool(folder: Path, name: str, body: str) -> None:
    tool = folder / name
    tool.write_text(f"#!{folder}/sh\n{body}\n")
    tool.chmod(0o755)


def allow_apt(tools: Path, body: str) -> None:
    add_tool(tools, "apt-get", body)
    add_tool(tools, "sudo", '[ "$1" = -n ] && shift\nexec "$@"')


@linux_only
def test_the_real_script_agrees_with_this_machine(script: ModuleType, tools: Path) -> None:
    xvfb = shutil.which("Xvfb", path=os.defpath + os.pathsep + "/usr/bin")
    if xvfb is not None:
        (tools / "Xvfb").symlink_to(xvfb)
    missing = script.missing_packages()
    result = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert result.returncode == (1 if missing else 0)
    assert all(package in result.stderr for package in missing)
    assert ("all 17 found" in result.stdout) == (not missing)


def test_other_systems_need_nothing(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert script.main([script.Requirement("nothing", lambda: False)]) == 0


@linux_only
def test_a_library_that_no_machine_has_is_missing(script: ModuleType) -> None:
    requirements = [
        script.Requirement("libc6", script.loads("libc.so.6")),
        script.Requirement("libnowhere9", script.loads("libnowhere.so.9")),
        script.Requirement("nowhere", script.runs("no-such-program")),
    ]
    assert script.missing_packages(requirements) == ["libnowhere9", "nowhere"]


@linux_only
def test_installs_what_is_missing_and_looks_again(
    script: ModuleType, tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, installed = tmp_path / "log", tmp_path / "installed"
    allow_apt(
        tools,
        f'echo "$DEBIAN_FRONTEND|$*" >> {log}\ncase "$*" in *install*) touch {installed};; esac',
    )
    assert script.main([script.Requirement("libsome1", installed.exists)]) == 0
    update, install = log.read_text().splitlines()
    assert update.endswith(" update")
    assert install.startswith("noninteractive|")
    assert install.endswith("install -y --no-install-recommends libsome1")
    assert "all 1 found" in capsys.readouterr().out


@linux_only
@pytest.mark.parametrize("status", [0, 100])
def test_stops_with_the_command_when_apt_does_not_bring_it(
    script: ModuleType, tools: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    allow_apt(tools, f"exit {status}")
    assert script.main([script.Requirement("libsome1", lambda: False)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == script.command_to_type(["libsome1"])


@linux_only
def test_asks_when_it_may_not_install(
    script: ModuleType,
    tools: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_tool(tools, "apt-get", "exit 3")
    add_tool(tools, "sudo", 'echo "sudo: a password is required" >&2; exit 1')
    monkeypatch.setattr(script, "is_root", lambda: False)
    requirements = [
        script.Requirement("libsome1", lambda: False),
        script.Requirement("libthere2", lambda: True),
        script.Requirement("libsome3", lambda: False),
    ]
    assert script.main(requirements) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == (
        "sudo apt-get update && sudo apt-get install -y libsome1 libsome3"
    )


@linux_only
def test_names_the_packages_where_there_is_no_apt(
    script: ModuleType, tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (tools / "apt-get").exists()
    assert script.main([script.Requirement("libsome1", lambda: False)]) == 1
    assert "libsome1" in capsys.readouterr().err
