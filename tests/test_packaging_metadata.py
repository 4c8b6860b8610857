"""What a build says of itself: its version, wherever its sources come from, and its address."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from markdown_it import MarkdownIt

import napari_tessera

ROOT = Path(__file__).parents[1]
# what a build reads before it looks for what to pack
FILES = (
    ".git_archival.txt",
    ".gitattributes",
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "scripts/project_address.py",
    "src/napari_tessera/__init__.py",
)
REPOSITORY = "someone/somewhere"
AT_TAG = f"https://github.com/{REPOSITORY}/blob/v0.1.0/"
PICTURES_AT_TAG = f"https://raw.githubusercontent.com/{REPOSITORY}/v0.1.0/"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / ".git_archival.txt").is_file(), reason="an sdist has no files of the checkout"
    ),
]


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


address = load_script("project_address")


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "HATCH_", "NAPARI_TESSERA_", "SETUPTOOLS_SCM_", "VCS_"))
    }
    # neither somebody's settings nor their name
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        quiet |= {f"GIT_{who}_NAME": "nobody", f"GIT_{who}_EMAIL": "nobody@example.org"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**environment, **quiet, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def metadata(folder: Path, **variables: str) -> dict[str, Any]:
    told = run(sys.executable, "-m", "hatchling", "metadata", cwd=folder, **variables)
    read: dict[str, Any] = json.loads(told)
    return read


def copy_sources(folder: Path) -> Path:
    for name in FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return folder


def commit(folder: Path, message: str) -> None:
    run("git", "add", ".", cwd=folder)
    run("git", "commit", "-q", "--allow-empty", "-m", message, cwd=folder)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose first commit is release 0.1.0."""
    folder = copy_sources(tmp_path_factory.mktemp("clone"))
    run("git", "init", "-q", cwd=folder)
    commit(folder, "first")
    run("git", "tag", "v0.1.0", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def release(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is checked out at the tag."""
    folder = tmp_path_factory.mktemp("release")
    run("git", "clone", "-q", "--branch", "v0.1.0", clone, folder, cwd=folder)
    return folder


def test_a_release_has_the_version_of_its_tag(release: Path) -> None:
    assert metadata(release)["version"] == "0.1.0"


def test_what_comes_after_a_release_names_its_commit(clone: Path, tmp_path: Path) -> None:
    run("git", "clone", "-q", clone, tmp_path / "later", cwd=tmp_path)
    commit(tmp_path / "later", "second")
    revision = run("git", "rev-parse", "HEAD", cwd=tmp_path / "later")
    version, _, local = metadata(tmp_path / "later")["version"].partition("+g")
    assert version == "0.1.1.dev1"
    assert len(local) >= 7
    assert revision.startswith(local)


def test_a_shallow_clone_without_tags_builds(clone: Path, tmp_path: Path) -> None:
    commit(clone, "another")
    source = clone.resolve().as_uri()
    run("git", "clone", "-q", "--depth", "1", "--no-tags", source, tmp_path / "s", cwd=tmp_path)
    assert metadata(tmp_path / "s")["version"].startswith("0.1.dev")


def test_an_archive_that_a_site_makes_of_a_tag_knows_it(clone: Path, tmp_path: Path) -> None:
    run("git", "archive", "--output", tmp_path / "made.tar", "v0.1.0", cwd=clone)
    with tarfile.open(tmp_path / "made.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert metadata(tmp_path / "unpacked")["version"] == "0.1.0"


def test_an_sdist_knows_its_version(release: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path)
    run(*command, cwd=release)
    with tarfile.open(tmp_path / "napari_tessera-0.1.0.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert metadata(tmp_path / "unpacked" / "napari_tessera-0.1.0")["version"] == "0.1.0"


def test_bare_files_build(tmp_path: Path) -> None:
    assert metadata(copy_sources(tmp_path))["version"] == "0.1.dev0"


def test_sources_that_are_not_installed_say_so(tmp_path: Path) -> None:
    """With nothing but the sources on the path, as tox has lint and validate."""
    shutil.copytree(
        ROOT / "src" / "napari_tessera",
        tmp_path / "napari_tessera",
        ignore=lambda _, names: [name for name in names if not name.startswith("__init__")],
    )
    code = (
        "import importlib.metadata as m, sys\n"
        "def none(name): raise m.PackageNotFoundError(name)\n"
        "m.version = none\n"
        "import napari_tessera\n"
        "print(napari_tessera.__version__)"
    )
    # the directory a command runs in is the first on its path
    assert run(sys.executable, "-c", code, cwd=tmp_path).strip() == napari_tessera.NOT_INSTALLED


class Links(HTMLParser):
    """Where the links and pictures of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def links(page: str) -> list[str]:
    parser = Links()
    parser.feed(MarkdownIt("gfm-like", {"linkify": False}).render(page))
    return parser.found


def test_without_an_address_the_page_is_the_readme() -> None:
    told = metadata(ROOT)
    assert told["readme"]["text"] == (ROOT / "README.md").read_text(encoding="utf-8")
    assert not told.get("urls")


def test_a_release_links_to_its_own_files(release: Path) -> None:
    told = metadata(release, NAPARI_TESSERA_REPOSITORY=REPOSITORY)
    assert told["urls"] == {
        "Source": f"https://github.com/{REPOSITORY}",
        "Issues": f"https://github.com/{REPOSITORY}/issues",
        "Changelog": f"{AT_TAG}CHANGELOG.md",
        "Documentation": "https://someone.github.io/somewhere/",
    }
    before = links((ROOT / "README.md").read_text(encoding="utf-8"))
    after = links(told["readme"]["text"])
    assert len(before) == len(after)
    changed = 0
    for old, new in zip(before, after, strict=True):
        if old.startswith(("https:", "http:", "#")):
            assert new == old
            continue
        changed += 1
        start = next(start for start in (AT_TAG, PICTURES_AT_TAG) if new.startswith(start))
        assert new == start + old
        assert (start == PICTURES_AT_TAG) == old.endswith((".gif", ".png", ".svg", ".webp"))
    assert changed > 10


def test_code_is_left_alone_and_every_kind_of_link_is_found() -> None:
    page = (
        '[a](docs/a.md#b "title") [![p](p.PNG)](./docs/) <img src="docs/p.webp"> [r]\n\n'
        "```python\nf[0](x)\n```\n\n[r]: <LICENSE>\n[e]: https://example.org/a\n[m](mailto:a@b.c)\n"
    )
    assert address.with_absolute_links(page, REPOSITORY, "0.1.0") == (
        f'[a]({AT_TAG}docs/a.md#b "title") [![p]({PICTURES_AT_TAG}p.PNG)]({AT_TAG}docs/) '
        f'<img src="{PICTURES_AT_TAG}docs/p.webp"> [r]\n\n'
        f"```python\nf[0](x)\n```\n\n[r]: <{AT_TAG}LICENSE>\n[e]: https://example.org/a\n"
        "[m](mailto:a@b.c)\n"
    )


def test_what_is_no_release_links_to_what_the_repository_shows() -> None:
    for version in ("0.1.1.dev1+gabc", "0.1.dev0", "0.1.0+local"):
        assert address.release_tag(version) == "HEAD"
    for version in ("0.1.0", "1.2", "1.0.0rc1"):
        assert address.release_tag(version) == f"v{version}"


@pytest.mark.parametrize("wrong", ["somewhere", "https://github.com/a/b", "a/b/c", "a/b c"])
def test_what_is_no_repository_is_refused(wrong: str) -> None:
    with pytest.raises(AssertionError, match="it must be owner/name"):
        metadata(ROOT, NAPARI_TESSERA_REPOSITORY=wrong)
