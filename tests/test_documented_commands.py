"""The commands that the README and the manual show work.

One that is new in a page fails until it is entered here.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import metadata
from pathlib import Path

import pytest
from helpers import PATIENCE

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "bench/README.md", *sorted(ROOT.glob("docs/**/*.md"))]

PROGRAMS = (
    "timerwheel (?:demo|info)|python3?|pip|pytest|bash|git|trial|twistd?|crossbar|py-spy|"
    "sphinx-build"
)
COMMAND = rf"(?:[A-Z_]+=\S+ )?(?:{PROGRAMS})(?: [^`\n]*)?"
SPAN = re.compile(rf"`({COMMAND})`")
BLOCK = re.compile(r"^```(?:sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(rf"^{COMMAND}$", re.MULTILINE)

# How each begins, and what follows here to make it short. Of those that take minutes at their
# smallest it is tried only that they start.
TRIED = {
    "bash .ci/applications": "-n",
    "bash .ci/asyncio": "-n",
    "bash .ci/benchmark-pythons": "-n",
    "bash .ci/broker": "-n",
    "bash .ci/compile": "-n",
    "bash .ci/container": "-n",
    "bash .ci/coverage": "-n",
    "bash .ci/matrix": "-n",
    "bash .ci/platforms": "-n",
    "bash .ci/qt": "-n",
    "bash .ci/wheels": "-n",
    "python -m timerwheel bench": "--help",
    "python -m timerwheel demo": "--rounds 1 --seconds 1 --timers 1000 --connections 5 --churn 100",
    "python -m timerwheel info": "",
    "python -m timerwheel replay bench/recordings/crawl.twr": "--rounds 1",
    "python -m timerwheel selftest": "--steps 1000",
    "python bench/operations/aio.py": "--help",
    "python bench/operations/aio_instructions.py": "--help",
    "python bench/servers/aiohttp_server.py": "--help",
    "python bench/costs/cascade.py": "--timers 1000",
    "python bench/costs/pending.py": "ours --timers 2000",
    "python bench/servers/end_to_end.py": "--help",
    "python bench/lateness": "--reactor select --timers 5",
    "python bench/operations/million.py": "--timers 2000 --moves 100",
    "python bench/tasks/round_trip.py": "--help",
    "python bench/operations/scaling.py": "--help",
    "python bench/servers/messages.py": "--help",
    "python bench/tasks/task_graph.py": "--help",
    "python bench/servers/more_cores.py": "--help",
    "python examples/echo.py": "--help",
    "python tests/asyncio_exam": "--help",
    "python tests/conformance": "--help",
    "python tests/fuzz": "--help",
    "python tests/hostile": "--help",
    "python tests/model": "--steps 1000",
    "python tests/soak": "--help",
    "timerwheel demo": "--help",
    "timerwheel info": "",
    "trial --help-reactors": "",
    "trial --reactor=timerwheel": "--version",
    "trial --reactor=timerwheel-accelerate": "--version",
    "twist --reactor=timerwheel": "--version",
    "twist --reactor=timerwheel-accelerate": "--version",
    "twistd --reactor=timerwheel": "--version",
}

# How the others begin, and why they are not tried.
UNTRIED = {
    "bash .ci/run": "runs this",
    "bash .ci/test": "runs this",
    "pytest": "is this; .ci/run runs the benchmarks",
    "python bench/instructions.py": "is part of .ci/run",
    "python bench/report.py": "is part of .ci/run, with results that stand",
    "python3 -m venv .venv && .venv/bin/pip install": "is part of .ci/run",
    "python3 -m venv .venv && . .venv/bin/activate": "makes the reader's environment",
    "python setup.py build_ext --inplace": "is part of .ci/coverage",
    "git clone": "makes the reader's copy",
    "pip install dask": "another project's",
    "pip wheel --no-deps": "is part of .ci/applications",
    "python tests/broker/server.py python bench/tasks/broker.py": "is run by .ci/broker",
    "python -O": "an option",
    "python -m timerwheel replay traffic.twr": "needs the reader's recording",
    "python -m timerwheel replay FILE": "needs the reader's recording",
    "python -W error::RuntimeWarning": "an option",
    "python -m timerwheel top": "needs a page; test_top.py runs it",
    "python -m synapse.app.homeserver": "another project's",
    "CROSSBAR_REACTOR=timerwheel-epoll crossbar": "another project's",
    "py-spy": "another project's",
    "python ticker.py": "test_documents.py runs it",
    "sphinx-build": "is part of .ci/run",
}

INSTALL = re.compile(
    r"(?:python -m )?pip install(?: --editable)? \"?(?:timerwheel|\.)(?:\[(\w+)\])?\"?$"
)


def shown() -> list[str]:
    """Each command that a page shows, without the remark after it."""
    commands: set[str] = set()
    for page in PAGES:
        text = page.read_text()
        commands.update(SPAN.findall(text))
        for block in BLOCK.findall(text):
            commands.update(re.sub(r"\s+#.*", "", line) for line in LINE.findall(block))
    return sorted(commands)


def test_a_remark_hides_no_command() -> None:
    """Lines that an editor has joined are such remarks."""
    lines = [
        line
        for page in PAGES
        for block in BLOCK.findall(page.read_text())
        for line in block.splitlines()
    ]
    assert not [line for line in lines if re.search(r"#.* (?:bash \.ci/|python -m |pip )", line)]


def beginning(command: str, beginnings: Iterable[str]) -> str | None:
    """How it begins, of these."""
    return next((one for one in beginnings if f"{command} ".startswith(f"{one} ")), None)


@pytest.mark.parametrize("command", shown())
def test_a_command_that_is_shown_is_known(command: str) -> None:
    if install := INSTALL.match(command):
        extras = metadata("timerwheel").get_all("Provides-Extra")
        assert install[1] is None or install[1] in extras
    else:
        assert beginning(command, [*TRIED, *UNTRIED])


@pytest.mark.parametrize("command", [*TRIED, *UNTRIED])
def test_a_command_that_is_known_is_shown(command: str) -> None:
    assert any(beginning(one, [command]) for one in shown())


@pytest.mark.parametrize("command", TRIED)
def test_a_command_works(command: str) -> None:
    program, *arguments = shlex.split(command)
    more = shlex.split(TRIED[command])
    if program == "bash":
        run = [program, *more, *arguments]
    elif program == "python":
        run = [sys.executable, *arguments, *more]
    else:
        run = [str(Path(sys.executable).parent / program), *arguments, *more]
    result = subprocess.run(
        run,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout or program == "bash"
