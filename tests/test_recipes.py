"""The recipes of the manual are what `.ci/applications` runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APPLICATIONS = ROOT / "tests/applications"
PAGE = (ROOT / "docs/howto/choose.md").read_text()

# A comment that names a file, and the listing after it.
RECIPE = re.compile(r"^<!-- (\S+/\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = RECIPE.findall(PAGE)
NAMES = sorted(folder.name for folder in APPLICATIONS.iterdir() if folder.is_dir())


@pytest.mark.parametrize(("path", "listing"), RECIPES, ids=[path for path, _ in RECIPES])
def test_a_listing_is_in_the_file_that_is_run(path: str, listing: str) -> None:
    text = (APPLICATIONS / path).read_text()
    if path.endswith("/job"):  # there, other arguments and redirections follow
        assert [line for line in listing.splitlines() if line not in text] == []
    else:
        assert listing in text


def test_each_application_is_in_the_manual() -> None:
    """But for two, which the table at the top has in full."""
    shown = {path.partition("/")[0] for path, _ in RECIPES}
    assert set(NAMES) - shown == {"twist", "twistd"}


@pytest.mark.parametrize("name", NAMES)
def test_an_application_says_what_to_install_and_what_it_did(name: str) -> None:
    assert (APPLICATIONS / name / "packages.txt").exists()
    job = (APPLICATIONS / name / "job").read_text()
    assert "source ../common\n" in job
    assert re.search(r"^prove(_pid)? ", job, re.MULTILINE)
    assert job.splitlines()[-1].startswith("did ")
