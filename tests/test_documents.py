"""What the README and the manual show works: every block of Python, every link, every name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import PATIENCE, WARNINGS, require

import timerwheel
import timerwheel.tasks
import timerwheel.tasks.amqp
from timerwheel.observe._metrics import DISTRIBUTIONS, METRICS
from timerwheel.tasks._task import CallOptions

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "bench/README.md", *sorted(ROOT.glob("docs/**/*.md"))]

# (Those below a comment that names a file need an application: .ci/applications runs them.)
BLOCK = re.compile(r"(?<!-->\n)^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks() -> list[object]:
    """Each block of Python of each page, which is a program by itself."""
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, block in enumerate(BLOCK.findall(page.read_text()), start=1)
    ]


@pytest.mark.parametrize("block", blocks())
def test_a_block_of_python_runs(block: str, tmp_path: Path) -> None:
    if "import uvloop" in block:
        require("uvloop")
    program = tmp_path / "block.py"
    program.write_text(block)
    result = subprocess.run(
        [sys.executable, *WARNINGS, str(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr


def test_there_are_blocks_to_run() -> None:
    assert len(blocks()) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


# DelayedCall, PriorityEntry and Timer are what calls of these return.
NAMED = set(timerwheel.__all__) - {"DelayedCall", "PriorityEntry", "Timer"} | {"tasks"}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_changelog_names_what_is_public(name: str) -> None:
    assert f"`timerwheel.{name}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    "name",
    [f"timerwheel.{name}" for name in timerwheel.__all__]
    + [f"timerwheel.tasks.{name}" for name in timerwheel.tasks.__all__]
    + [f"timerwheel.tasks.amqp.{name}" for name in timerwheel.tasks.amqp.__all__],
)
def test_the_reference_has_each_public_name(name: str) -> None:
    reference = (ROOT / "docs/reference.md").read_text()
    assert re.search(rf"^\.\. auto\w+:: {re.escape(name)}(?:\(.*\))?$", reference, re.MULTILINE)


@pytest.mark.parametrize("option", CallOptions.__annotations__)
def test_the_reference_has_each_option_of_a_task(option: str) -> None:
    assert f"\n| `{option}=" in (ROOT / "docs/reference.md").read_text()


COLLECTED = [*METRICS, *DISTRIBUTIONS]


@pytest.mark.parametrize("name", sorted({metric.prometheus for metric in COLLECTED}))
def test_the_manual_has_an_alert_for_each_metric(name: str) -> None:
    page = (ROOT / "docs/howto/production.md").read_text()
    row = rf"^\| `timerwheel_{name}(_total)?[`{{].*\|.*\| `.*timerwheel_"
    assert re.search(row, page, re.MULTILINE)


@pytest.mark.parametrize("name", sorted({metric.opentelemetry for metric in COLLECTED}))
def test_the_manual_names_each_instrument(name: str) -> None:
    page = (ROOT / "docs/howto/production.md").read_text()
    assert f"`timerwheel.{name}`" in page or f"`.{name.rpartition('.')[2]}`" in page
