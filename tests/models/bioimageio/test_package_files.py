from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from napari_tessera.models.archive import ArchiveError
from napari_tessera.models.bioimageio.fields import DescriptionError
from napari_tessera.models.bioimageio.package_files import opened_package
from napari_tessera.models.bioimageio.sources import Source


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_folders_and_archives_hold_the_same(tmp_path: Path) -> None:
    members = {"rdf.yaml": b"text", "sub/w.pt": b"12345", "sub/w.data": b"x"}
    for name, content in members.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    paths = [
        tmp_path / "folder",
        tmp_path / "folder" / "rdf.yaml",
        zipped(tmp_path / "a.zip", members),
        zipped(tmp_path / "b.zip", {f"name/{key}": value for key, value in members.items()}),
        zipped(tmp_path / "c.zip", members | {"__MACOSX/._rdf.yaml": b"mac"}),
    ]
    for path in paths:
        with opened_package(path) as files:
            assert files.description == "rdf.yaml"
            assert files.read(files.description, 99) == b"text"
            assert files.has(Source("", "sub/w.pt", None))
            assert not files.has(Source("", "w.pt", None))
            assert not files.has(Source("", "http://x/w.pt", None, is_remote=True))
            assert files.head("sub/w.pt", 2) == (b"12", 5)
            on_disk = files.on_disk("sub/w.pt", with_others=True)
            assert on_disk.read_bytes() == b"12345"
            assert (on_disk.parent / "w.data").read_bytes() == b"x"
            with pytest.raises(DescriptionError, match="has 5 bytes, more than 4"):
                files.read("sub/w.pt", 4)
            for reading in (files.read, files.head):
                with pytest.raises(DescriptionError, match="lacks the file 'other'"):
                    reading("other", 4)
        assert on_disk.exists() == (path.suffix != ".zip")


def test_the_newer_name_comes_first_and_outer_ones_before_inner_ones(tmp_path: Path) -> None:
    members = {"bioimageio.yaml": b"", "rdf.yaml": b"", "in/bioimageio.yaml": b""}
    with opened_package(zipped(tmp_path / "a.zip", members)) as files:
        assert files.description == "bioimageio.yaml"
    two = zipped(tmp_path / "b.zip", {"a/rdf.yaml": b"", "b/rdf.yaml": b""})
    with pytest.raises(DescriptionError, match="it holds 2 packages"), opened_package(two):
        pass
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(DescriptionError, match=r"holds no bioimageio.yaml or rdf.yaml"),
        opened_package(tmp_path / "empty"),
    ):
        pass


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:\\evil.txt", "a//b", "./a"],
)
def test_members_outside_are_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    # written under another name of the same length: zipfile mends some names itself
    path = zipped(inner / "a.zip", {"rdf.yaml": b"", "#" * len(name): b"evil"})
    path.write_bytes(path.read_bytes().replace(b"#" * len(name), name.encode()))
    with pytest.raises(ArchiveError, match="lies outside its folder"), opened_package(path):
        pass
    assert not list(tmp_path.rglob("evil*"))


def test_links_and_doubles_in_archives(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("w.pt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("rdf.yaml", "")
        archive.writestr(link, "/etc/passwd")
    with (
        pytest.raises(ArchiveError, match="is a link"),
        opened_package(tmp_path / "a.zip"),
    ):
        pass
    twice = zipped(tmp_path / "b.zip", {"rdf.yaml": b"", "RDF.yaml": b""})
    with pytest.raises(ArchiveError, match="stands twice"), opened_package(twice):
        pass


def test_bombs(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("rdf.yaml", "")
        archive.writestr("w.pt", bytes(2**27))
    refused = pytest.raises(ArchiveError, match=r"it unpacks to \d+ times its size")
    with refused, opened_package(path):
        pass
    # says that it is small, and unpacks to more
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", bytes(1000))
    lying = buffer.getvalue().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(lying)
    with opened_package(path) as files, pytest.raises(ArchiveError, match="damaged"):
        files.read("rdf.yaml", 10**6)


def test_links_in_folders(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = tmp_path / "package"
    (folder / "sub").mkdir(parents=True)
    (folder / "rdf.yaml").write_text("")
    (folder / "real.pt").write_text("inside")
    (folder / "inside.pt").symlink_to("real.pt")
    (folder / "outside.pt").symlink_to(secret)
    (folder / "away").symlink_to(tmp_path)
    (folder / "itself.pt").symlink_to("itself.pt")
    with opened_package(folder) as files:
        assert files.read("inside.pt", 99) == b"inside"
        for name in ("outside.pt", "away/secret.txt"):
            assert files.has(Source("", name, None))
            with pytest.raises(DescriptionError, match="is a link that leads out of the package"):
                files.read(name, 99)
        for name in ("sub", "itself.pt"):
            with pytest.raises(DescriptionError, match=f"lacks the file '{name}'"):
                files.read(name, 99)
