"""Look at an sdist and a wheel before anyone installs them: what is in them, and how large.

Every file of the package that git tracks must be in the wheel and nothing else may, so that no
list has to be kept. Run as ``python scripts/check_dist.py FOLDER [TAG]``; with a tag both files
must have its version. Prints what is wrong and ends with 1, or prints the sizes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "src/napari_tessera/"
WHEEL_BYTES = 6_000_000
SDIST_BYTES = 15_000_000
# what is read at run time and is no Python: a wheel without it installs, and fails later
READ_AT_RUN_TIME = (
    "__init__.pyi",
    "napari.yaml",
    "py.typed",
    "models/weights/denoise2d.safetensors",
    "models/weights/denoise3d.safetensors",
)
DIST_INFO = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
IN_SDIST = ("LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "scripts", "src", "tests")
NOT_IN_SDIST = re.compile(
    r"napari\.yaml$|\.git(hub/|_)|\.(ci|napari-hub|tox|venv)/|(.*/)?__pycache__/"
)
# what pages say as long as nothing is published; PyPI would show it beside the release
BEFORE_THE_FIRST = {
    "README.md": "neither on PyPI nor on conda-forge",
    "docs/tutorial.md": "From a checkout, in an environment of its own",
}


def known_files() -> set[str]:
    """Files of this checkout that git tracks, from its root on."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def differences(found: set[str], expected: set[str], where: str) -> list[str]:
    missing = [f"{where} lacks {name}" for name in sorted(expected - found)]
    return missing + [f"{where} holds {name}" for name in sorted(found - expected)]


def wheel_faults(wheel: Path, known: set[str]) -> list[str]:
    """What is wrong with a wheel, a line each."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/"
    expected = {name.removeprefix("src/") for name in known if name.startswith(PACKAGE)}
    expected |= {f"napari_tessera/{name}" for name in READ_AT_RUN_TIME}
    expected |= {info + name for name in DIST_INFO}
    return differences(names, expected, wheel.name) + too_large(wheel, WHEEL_BYTES)


def sdist_faults(sdist: Path, known: set[str]) -> list[str]:
    """What is wrong with an sdist, a line each."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    names = {member.name.partition("/")[2] for member in members if member.isfile()}
    tops = {name.partition("/")[0] for name in names}
    faults = [f"{sdist.name} lacks {name}" for name in IN_SDIST if name not in tops]
    faults += [f"{sdist.name} holds the link {m.name}" for m in members if m.issym() or m.islnk()]
    faults += [f"{sdist.name} holds {name}" for name in names if NOT_IN_SDIST.match(name)]
    packed = {name for name in known if name.startswith(("src/", "tests/", "scripts/"))}
    faults += differences({name for name in names if name in packed}, packed, sdist.name)
    unknown = sorted(names - known - {"PKG-INFO"})
    faults += [
        f"{sdist.name} holds {name}, which git does not track: add it, remove it, or ignore it"
        for name in unknown
    ]
    return faults + too_large(sdist, SDIST_BYTES)


def version_of(distribution: Path) -> str:
    """Version in the name of a wheel or sdist."""
    return distribution.name.removesuffix(".tar.gz").split("-")[1]


def untrue_when_published(sdist: Path) -> list[str]:
    """What pages of a release say that is true only before the first one."""
    version = version_of(sdist)
    if ".dev" in version or "+" in version:
        return []
    top = f"napari_tessera-{version}"
    told = []
    with tarfile.open(sdist) as archive:
        packed = set(archive.getnames())
        for name, words in BEFORE_THE_FIRST.items():
            page = archive.extractfile(f"{top}/{name}") if f"{top}/{name}" in packed else None
            if page is not None and words in " ".join(page.read().decode("utf-8").split()):
                told.append(f"{name} of {version} says {words!r}: step 2 of docs/releasing.md")
    return told


def other_versions(distributions: list[Path], tag: str) -> list[str]:
    """Files whose tag, which their links lead to, is another one."""
    return [
        f"{d.name} is not of the tag {tag}" for d in distributions if f"v{version_of(d)}" != tag
    ]


def too_large(path: Path, limit: int) -> list[str]:
    size = path.stat().st_size
    return [f"{path.name} has {size:,} bytes, more than {limit:,}"] if size > limit else []


def faults(folder: Path, tag: str | None = None) -> list[str]:
    """What is wrong with the one sdist and the one wheel of a folder."""
    sdists, wheels = sorted(folder.glob("*.tar.gz")), sorted(folder.glob("*.whl"))
    if len(sdists) != 1 or len(wheels) != 1:
        return [f"{folder} holds {len(sdists)} sdists and {len(wheels)} wheels, not one of each"]
    known = known_files()
    wrong = sdist_faults(sdists[0], known) + wheel_faults(wheels[0], known)
    wrong += untrue_when_published(sdists[0])
    return wrong + (other_versions([*sdists, *wheels], tag) if tag is not None else [])


def main(folder: Path, tag: str | None = None) -> int:
    wrong = faults(folder, tag)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        for path in sorted([*folder.glob("*.tar.gz"), *folder.glob("*.whl")]):
            print(f"{path.stat().st_size:>10,} {path.name}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
