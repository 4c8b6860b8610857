"""The runner of pages fails where a page is wrong, and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from .blocks import PageError, Runner, is_in
from .files import Files
from .pages import pages

Run = Callable[[Path], Runner]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def to_file(text: str) -> Path:
        path = tmp_path / "page.md"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


GOOD = """
# A page

<!-- invisible-code-block: python
from docs_files import prepare

prepare("noisy.tif")
-->
```python
from pathlib import Path

assert Path("noisy.tif").is_file()
print("a line")
```

It prints

<!-- output -->
```text
a …
```

1. In a list:

    ```sh
    napari-tessera info noisy.tif \\
        --json > info.json  # a comment
    ```

<!-- exits: 1 -->
```sh
# nothing here
napari-tessera info noisy.tif --json
napari-tessera info none.tif
```

<!-- output -->
```text
…
napari-tessera: error: none.tif …
```

<!-- not run: installs -->
```sh
pip install napari-tessera
```

```json
{"a": 1}
```

````text
<!-- not run: nothing, as this only shows how it is written -->
```sh
rm -rf /
```
````
"""


def test_a_good_page_runs(write: Callable[[str], Path], run_page: Run, tmp_path: Path) -> None:
    runner = run_page(write(GOOD))
    assert [line.split(":")[-1].strip() for line in runner.unrun] == ["installs"]
    assert (tmp_path / "place" / "info.json").stat().st_size > 2


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("```python\n1 / 0\n```\n", ZeroDivisionError, "division"),
        ("```python\nassert 1 == 2\n```\n", AssertionError, None),
        ("<!-- invisible-code-block: python\nnone\n-->\n", NameError, "none"),
        ("```sh\nnapari-tessera info none.tif\n```\n", AssertionError, "exit status 1, not 0"),
        (
            "<!-- exits: 2 -->\n```sh\nnapari-tessera info none.tif\n```\n",
            AssertionError,
            "exit status 1, not 2",
        ),
        (
            "<!-- exits: 1 -->\n```sh\nnapari-tessera info a\nnapari-tessera info b\n```\n",
            AssertionError,
            "info a: exit status 1, not 0",
        ),
        ("```sh\npip install it\n```\n", ValueError, "only napari-tessera is run here"),
        ("```sh\nnapari-tessera info a | less\n```\n", ValueError, "needs a shell"),
        ("```sh\n# nothing\n```\n", ValueError, "without a command"),
        ("<!-- not run: no time -->\n```sh\nx\n```\n", PageError, "'no time' is no known reason"),
        ("<!-- not run: installs -->\n```python\n1 +\n```\n", SyntaxError, None),
        ("<!-- not run: run by tests/none.py -->\n```sh\nx\n```\n", PageError, "says nothing"),
        (
            "<!-- not run: run by tests/conftest.py -->\n```sh\nx\n```\n",
            PageError,
            "tests/conftest.py says nothing of page.md",
        ),
        ("<!-- recipe: none.sh -->\n```sh\nx\n```\n", PageError, "no recipe 'none.sh'"),
        ("```\nwhat\n```\n", PageError, "without a language"),
        ("```ruby\nwhat\n```\n", PageError, "nothing here runs 'ruby'"),
        ('```json\n{"a"}\n```\n', ValueError, "Expecting"),
        ("```yaml\na: b: c\n```\n", Exception, "mapping values"),
        ("<!-- exits: 1 -->\n\n```sh\nnapari-tessera info a\n```\n", PageError, "1 marks, and 0"),
        ("<!-- not-run: installs -->\n```sh\nx\n```\n", PageError, "1 marks, and 0"),
        ("<!-- invisible: python\n1 / 0\n-->\n", PageError, "1 marks, and 0"),
        ("<!-- exits: 1 -->\n```text\nx\n```\n", PageError, "no mark <!-- exits"),
        (
            "```python\nprint('a')\n```\n<!-- output -->\n```text\nb\n```\n",
            AssertionError,
            "not printed",
        ),
        ("Like this:\n\n    napari-tessera info a\n", PageError, "commands stand in ```sh"),
    ],
)
def test_a_bad_page_fails(
    text: str,
    error: type[Exception],
    message: str | None,
    write: Callable[[str], Path],
    run_page: Run,
) -> None:
    with pytest.raises(error, match=message):
        run_page(write(f"# A page\n\n{text}"))


def test_a_failure_names_its_line(write: Callable[[str], Path], run_page: Run) -> None:
    page = write("# A page\n\n```python\nx = 1\n```\n\n```python\n\nprint('so far')\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run_page(page)
    assert caught.traceback[-1].lineno == 9  # counted from 0
    assert caught.value.__notes__ == [f"{page}, line 7\nso far"]


@pytest.mark.parametrize(
    ("wanted", "printed", "found"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a…", "ab", True),
        ("a\n…\nd", "x\na  \nb\nc\nd\ny", True),
        ("a\n…\nd", "a\nd", True),
        ("a\n…\nd", "d\na", False),
        ("a…d", "a\nd", False),
        ("(.*)", "abc", False),
    ],
)
def test_output_is_compared_line_by_line(wanted: str, printed: str, *, found: bool) -> None:
    assert is_in(wanted, printed) is found


def test_files_are_what_they_are_called(ready_files: Files, in_folder: Path) -> None:
    ready_files.prepare("noisy.tif", "clean.tif", "mask.tif")
    noisy, clean = tifffile.imread("noisy.tif"), tifffile.imread("clean.tif")
    assert noisy.shape == clean.shape == tifffile.imread("mask.tif").shape == (300, 280)
    assert noisy.dtype == np.uint16
    # noise without a bias
    assert abs(float(noisy.mean()) - float(clean.mean())) < 1
    with pytest.raises(ValueError, match=r"no file cat\.tif; there are noisy\.tif"):
        ready_files.prepare("cat.tif")


def test_no_page_is_forgotten() -> None:
    assert {"README.md", "docs/architecture.md", "docs/model-cards/denoise2d.md"} <= set(pages())
