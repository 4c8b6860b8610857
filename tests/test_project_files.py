"""Files that those read who carry on the work: what they name is there, and they are valid."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
import tomllib
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "napari_tessera"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

hosting_files = pytest.mark.skipif(
    not (ROOT / ".github").is_dir(), reason="an sdist has no files for the hosting site"
)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environments() -> set[str]:
    """Names of tox environments; ``a{1,2}`` are two."""
    found = {"py"}
    for name in re.findall(r"^\[testenv:([\w{},-]+)\]", page("tox.ini"), re.MULTILINE):
        start, _, factors = name.rstrip("}").partition("{")
        found |= {f"{start}{factor}" for factor in factors.split(",")}
    return found


def tox_commands(environment: str) -> list[str]:
    parser = ConfigParser(interpolation=None)
    parser.read_string(page("tox.ini"))
    return parser[f"testenv:{environment}"]["commands"].strip().splitlines()


def workflow(name: str) -> dict[str, Any]:
    # YAML 1.1 takes the key "on" for a truth value
    read = yaml.safe_load(page(f".github/workflows/{name}.yml"))
    return {"on" if key is True else key: value for key, value in read.items()}


def rooms() -> list[str]:
    """Folders of the package with sources in them, two levels deep."""
    found = [*SOURCES.glob("*/__init__.py"), *SOURCES.glob("*/*/__init__.py")]
    return sorted(path.parent.relative_to(SOURCES).as_posix() for path in found)


def test_every_room_is_on_the_page_about_the_layout() -> None:
    text = page("docs/architecture.md")
    found = rooms()
    assert "prediction/cluster" in found
    named = set(re.findall(r"`([\w/]+)/`", text.split("## One tile's journey")[0]))
    assert sorted(set(rooms()) - named) == []
    assert [name for name in named if not (SOURCES / name).is_dir()] == []


def test_files_that_the_page_about_the_layout_names_are_there() -> None:
    text = page("docs/architecture.md")
    head, table = text.split("## What holds, and what tests it")
    named = re.findall(r"`([\w/]+\.py)`", head)
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).is_file() or list(SOURCES.glob(f"**/{name}")), name
    tests = re.findall(r"`([\w/]+(?:\.py|/))`", table)
    # the sentence above the table
    tests.remove("tests/")
    assert len(tests) > 30
    for name in tests:
        assert (ROOT / "tests" / name).exists(), name


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/releasing.md", "SECURITY.md"])
def test_files_and_environments_that_a_page_names_are_there(name: str) -> None:
    text = page(name)
    for path in re.findall(r"`((?:src|tests|scripts|docs)/[\w/.-]+)`", text):
        assert (ROOT / path).exists(), path
    for listed in re.findall(r"tox -e ([\w,-]+)", text):
        assert set(listed.split(",")) <= environments(), listed


@hosting_files
def test_workflows_run_environments_and_scripts_that_there_are() -> None:
    asked: set[str] = set()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        for listed in re.findall(r"tox -e ([\w,-]+)", text):
            asked |= set(listed.split(","))
        for script in re.findall(r"python (scripts/\w+\.py)", text):
            assert (ROOT / script).is_file()
    jobs = workflow("tests")["jobs"]
    asked |= set(jobs["versions"]["strategy"]["matrix"]["versions"])
    assert asked <= environments()
    assert {"docs", "lint", "lowest", "pre", "py", "release", "validate"} <= asked


@hosting_files
def test_workflows_test_each_python_that_the_metadata_name() -> None:
    classifiers = PROJECT["project"]["classifiers"]
    named = [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]
    jobs = workflow("tests")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python-version"] == named
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


@hosting_files
def test_only_one_job_of_a_release_may_ask_for_trust() -> None:
    release = workflow("release")
    assert release["permissions"] == {}
    allowed = {name: job["permissions"] for name, job in release["jobs"].items()}
    assert allowed == {
        "tests": {"contents": "read"},
        "build": {"contents": "read"},
        "pypi": {"id-token": "write"},
        "github": {"contents": "write"},
    }
    assert release["jobs"]["pypi"]["environment"] == "pypi"
    # what such a job runs is named by its commit
    for name in ("release", "docs"):
        for job in workflow(name)["jobs"].values():
            used = [step["uses"] for step in job.get("steps", ()) if "uses" in step]
            if "id-token" in job.get("permissions", {}):
                assert used
                assert [u for u in used if not re.search(r"@[0-9a-f]{40}$", u)] == []


@hosting_files
def test_a_release_is_published_only_after_the_tests() -> None:
    jobs = workflow("release")["jobs"]
    assert jobs["tests"]["uses"].endswith("/.github/workflows/tests.yml")
    assert set(jobs["pypi"]["needs"]) == {"tests", "build"}
    assert jobs["github"]["needs"] == "pypi"
    tests = workflow("tests")
    assert "workflow_call" in tests["on"]
    # a group of the caller's name would wait for itself, and pushes would end weekly runs
    assert "github.workflow" not in tests["concurrency"]["group"]
    assert "github.event_name" in tests["concurrency"]["group"]


@hosting_files
def test_weekly_jobs_run_weekly() -> None:
    jobs = workflow("tests")["jobs"]
    assert set(re.findall(r"'(\w+)'", jobs["versions"]["if"])) == {"schedule", "workflow_dispatch"}
    assert ["if" in jobs[name] for name in ("lint", "test")] == [False, False]


@hosting_files
def test_the_site_is_built_checked_and_uploaded_in_one_place() -> None:
    build, check = tox_commands("docs")
    assert build == "mkdocs build --strict"
    site = re.search(r"^site_dir: (\w+)$", page("mkdocs.yml"), re.MULTILINE)
    assert site is not None
    assert check.split()[-1] == site[1]
    steps = workflow("docs")["jobs"]["build"]["steps"]
    assert [step["run"] for step in steps if "tox -e" in step.get("run", "")] == ["tox -e docs"]
    assert [step["with"]["path"] for step in steps if "pages" in step.get("uses", "")] == [site[1]]
    assert f"/{site[1]}/" in page(".gitignore").splitlines()


@hosting_files
@pytest.mark.skipif(os.name == "nt", reason="it is a script for bash")
@pytest.mark.parametrize(
    ("tag", "kind"),
    [("v0.1.0", []), ("v1.0.0rc1", ["--prerelease"]), ("v1.0b12", ["--prerelease"])],
)
def test_a_candidate_becomes_a_pre_release(tag: str, kind: list[str], tmp_path: Path) -> None:
    (script,) = (step["run"] for step in workflow("release")["jobs"]["github"]["steps"][1:])
    (tmp_path / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "gh").chmod(0o755)
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("there is no bash")
    done = subprocess.run(
        [shell, "-e", "-c", script],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "GITHUB_REF_NAME": tag},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    assert told[:3] == ["release", "create", tag]
    assert told[told.index("--notes-file") + 2 :] == kind


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_what_git_does_not_track_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_dist = load_script("check_dist")
    monkeypatch.setattr(check_dist, "ROOT", tmp_path)
    for name in ("tracked.py", "new.py"):
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "tracked.py"], cwd=tmp_path, check=True)
    assert check_dist.known_files() == {"tracked.py"}
    with_new = tmp_path / "a-1.tar.gz"
    with tarfile.open(with_new, "w:gz") as archive:
        archive.add(tmp_path / "new.py", "a-1/new.py")
    told = check_dist.sdist_faults(with_new, {"tracked.py"})
    assert f"{with_new.name} holds new.py, which git does not track: add it, remove it" in str(told)


def sdist_with(folder: Path, version: str, readme: str) -> Path:
    top = folder / f"napari_tessera-{version}"
    top.mkdir()
    (top / "README.md").write_text(readme, encoding="utf-8")
    path = folder / f"{top.name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(top, top.name)
    return path


def test_a_release_that_says_that_there_is_none_is_refused(tmp_path: Path) -> None:
    check_dist = load_script("check_dist")
    before = "From a checkout (it is neither on PyPI nor\non conda-forge yet)"
    (told,) = check_dist.untrue_when_published(sdist_with(tmp_path, "0.1.0", before))
    assert "README.md of 0.1.0 says 'neither on PyPI nor on conda-forge'" in told
    for version, text in (("0.1.0rc1", "pip install it"), ("0.1.1.dev3+g12", before)):
        assert check_dist.untrue_when_published(sdist_with(tmp_path, version, text)) == []
    # words that no page has any more look for nothing
    for name, words in check_dist.BEFORE_THE_FIRST.items():
        assert words in " ".join(page(name).split())


def test_files_of_a_release_have_the_version_of_its_tag() -> None:
    built = [Path("a-0.1.0rc1.tar.gz"), Path("a-0.1.0rc1-py3-none-any.whl")]
    other_versions = load_script("check_dist").other_versions
    assert other_versions(built, "v0.1.0rc1") == []
    for tag in ("v0.1.0", "v0.1.0-rc1", "0.1.0rc1"):
        assert len(other_versions(built, tag)) == 2


def test_the_pages_about_development_say_what_tox_runs() -> None:
    listed = re.search(r"^env_list = (.*)$", page("tox.ini"), re.MULTILINE)
    assert listed is not None
    run = [f"`{name}`" for name in listed[1].split(", ")]
    said = f"{', '.join(run[:-1])} and {run[-1]}"
    assert f"Plain `tox` runs {said}" in " ".join(page("README.md").split())


def test_citation_agrees_with_the_metadata() -> None:
    citation = yaml.safe_load(page("CITATION.cff"))
    project = PROJECT["project"]
    assert citation["title"] == project["name"]
    assert citation["license"] == project["license"]
    assert set(citation["keywords"]) <= set(project["keywords"])
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in project["authors"]
    ]
    # a tag is the version: what is written beside it is wrong after the next one
    assert "version" not in citation
    assert "date-released" not in citation


@hosting_files
def test_the_folder_of_the_napari_hub_says_what_the_metadata_and_the_manifest_say() -> None:
    config = yaml.safe_load(page(".napari-hub/config.yml"))
    project, manifest = PROJECT["project"], yaml.safe_load(page("src/napari_tessera/napari.yaml"))
    assert config == {
        "summary": project["description"],
        "authors": project["authors"],
        "visibility": manifest["visibility"],
    }
    title, summary = page(".napari-hub/DESCRIPTION.md").split("\n\n")[:2]
    assert title == f"# {project['name']}"
    assert summary == f"{project['description']}."


@hosting_files
def test_what_is_only_for_the_hosting_site_is_in_no_distribution() -> None:
    targets = PROJECT["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"] == {"packages": ["src/napari_tessera"]}
    assert {"/.github", "/.napari-hub"} <= set(targets["sdist"]["exclude"])
    # what is built is held against the same by `tox -e release`
    not_in_sdist = load_script("check_dist").NOT_IN_SDIST
    for name in (".github/workflows/tests.yml", ".napari-hub/config.yml"):
        assert (ROOT / name).is_file()
        assert not_in_sdist.match(name)


def test_changelog_has_what_is_to_come_at_its_top() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", page("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == "Unreleased"
    changelog = load_script("changelog")
    text = "## [Unreleased]\n\n## [0.2.0] - 2027-01-01\n\n- b\n\n- c\n\n## [0.1.0]\n\n- a\n"
    assert changelog.section(text, "0.2.0") == "- b\n\n- c"
    assert changelog.section(text, "0.1.0") == "- a"
    assert changelog.section(text, "0.3.0") == ""
    assert changelog.section(text, "Unreleased") == ""


def test_held_versions_are_the_lowest_of_the_metadata_or_those_named(tmp_path: Path) -> None:
    held = load_script("held_versions")
    held.main(tmp_path / "held.txt", "lowest", "torch==9.9.9")
    lines = (tmp_path / "held.txt").read_text().split()
    bounds = {line for line in PROJECT["project"]["dependencies"] if not line.startswith("torch")}
    assert {line.replace(">=", "==") for line in bounds} <= set(lines)
    assert [line for line in lines if line.startswith("torch")] == ["torch==9.9.9"]
    held.main(tmp_path / "held.txt", "tested", "napari==0.0.1")
    lines = (tmp_path / "held.txt").read_text().split()
    tested = set(page("constraints.txt").split("\n"))
    assert set(lines) - tested == {"napari==0.0.1"}


def test_each_dependency_has_a_lowest_version() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    named = PROJECT["project"]["dependencies"] + [
        line for group in extras.values() for line in group
    ]
    assert [line for line in named if ">=" not in line] == ["napari[all]"]


def test_the_oldest_napari_that_is_allowed_has_an_environment() -> None:
    (bound,) = (d for d in PROJECT["project"]["dependencies"] if d.startswith("napari>="))
    oldest = bound.removeprefix("napari>=")
    assert f"napari{oldest.replace('.', '')}" in environments()
    assert f"tested napari=={oldest}.0\n" in page("tox.ini")
