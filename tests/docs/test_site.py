"""What is done for the documentation's site: pages of the root, and the check of its links."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .pages import ROOT


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site_pages() -> ModuleType:
    return script("site_pages")


@pytest.fixture(scope="module")
def check_links() -> ModuleType:
    return script("check_links")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a few files."""
    for name in ("README.md", "CONTRIBUTING.md", "docs/a.md", "docs/b/c.md", "src/x.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# A heading, `code` & more\n\n## A heading\n\n## A heading\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "source", "wanted"),
    [
        ("[a](docs/a.md#x)", "CONTRIBUTING.md", "[a](a.md#x)"),
        ("![a](docs/b/c.md)", "CONTRIBUTING.md", "![a](b/c.md)"),
        ("[a](../../CONTRIBUTING.md#x)", "docs/b/c.md", "[a](../contributing.md#x)"),
        ("[a](../README.md#x)", "docs/a.md", "[a](index.md)"),
        ("[`x.py`](../src/x.py) and [b](../src)", "docs/a.md", "`x.py` and b"),
        ("[a](#x) [b](https://example.org/x.md)", "docs/a.md", None),
        ("`[a](../src/x.py)`\n\n```text\n[a](../src/x.py)\n```\n", "docs/a.md", None),
    ],
)
def test_links_are_those_of_the_site(
    text: str, source: str, wanted: str | None, checkout: Path, site_pages: ModuleType
) -> None:
    page = site_pages.PAGES.get(source, source.removeprefix("docs/"))
    assert site_pages.in_site(text, source, page, checkout) == (wanted or text)


def test_a_link_to_nothing_is_a_warning(
    checkout: Path, site_pages: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mkdocs.hooks.site_pages"):
        site_pages.in_site("[a](gone.md)", "docs/a.md", "a.md", checkout)
    assert caplog.messages == ["docs/a.md links to gone.md, which is not there"]


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("[a](docs/a.md#a-heading-code--more)", None),
        ("[a](docs/a.md#a-heading-1) [b](src) [c](https://example.org)", None),
        (
            "[a](docs/a.md#a-heading-2)",
            "README.md: docs/a.md#a-heading-2: there is no such heading",
        ),
        ("[a](docs/d.md)", "README.md: docs/d.md: there is no such file"),
        ('<img src="d.png">', "README.md: d.png: there is no such file"),
        ("[a](#b)", "README.md: #b: there is no such heading"),
        ("`[a](d.md)`\n\n```text\n[a](d.md)\n```\n", None),
    ],
)
def test_links_of_the_checkout(
    link: str, fault: str | None, checkout: Path, check_links: ModuleType
) -> None:
    (checkout / "README.md").write_text(link, "utf-8")
    assert list(check_links.source_faults(checkout)) == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="../#top">a</a><a id="b" href="#b">b</a><img src="/p.png">', None),
        ('<a href="..">a</a><a href="mailto:a@b.org">b</a><a href="https://c.org">c</a>', None),
        ('<a href="../#bottom">a</a>', "page/index.html: ../#bottom: there is no such anchor"),
        ('<a href="gone/">a</a>', "page/index.html: gone/: there is no such file"),
        ('<img src="p.png">', "page/index.html: p.png: there is no such file"),
        (
            '<script src="https://cdn.org/a.js"></script>',
            "page/index.html: https://cdn.org/a.js is loaded from elsewhere",
        ),
    ],
)
def test_links_of_the_site(
    html: str, fault: str | None, tmp_path: Path, check_links: ModuleType
) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "p.png").touch()
    (tmp_path / "index.html").write_text('<h1 id="top">a</h1>')
    (tmp_path / "page" / "index.html").write_text(html)
    assert list(check_links.site_faults(tmp_path)) == ([fault] if fault else [])


def test_the_links_of_this_checkout_lead_somewhere() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_links.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
