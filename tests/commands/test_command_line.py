"""`python -m timerwheel`: its exit codes, what it says of wrong arguments, its help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from command_helpers import run
from helpers import PATIENCE, run_python

from timerwheel.__main__ import main
from timerwheel.commands.versions import versions

COMMANDS = ["info", "bench", "replay", "selftest", "demo", "top"]


def test_without_a_command_it_prints_help() -> None:
    result = run()
    assert result.returncode == 0
    for command in COMMANDS:
        assert f"\n    {command} " in result.stdout


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_has_examples_and_exit_codes_and_needs_no_twisted(command: list[str]) -> None:
    result = run_python(
        """
        import contextlib, io, json, sys
        from timerwheel.__main__ import main
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*sys.argv[1:], "--help"])
        print(json.dumps([printed.getvalue(), "twisted" in sys.modules]))
        """,
        *command,
    )
    help_text, twisted_imported = result
    assert f"examples:\n  python -m timerwheel {command[0] if command else ''}" in help_text
    assert "exit codes: 0 " in help_text
    assert not twisted_imported


def test_version() -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout == f"timerwheel {versions()['timerwheel']}\n"


def test_help_shows_defaults_of_numbers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    defaults = re.findall(r"\(default:\s+([^)]+)\)", capsys.readouterr().out)
    numbers = ["5", "4", "5,000", "200", "300,000", "30,000"]
    assert defaults == [*numbers, "Twisted's choice here"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_it_ends_quietly_when_nobody_reads_on(unbuffered: str) -> None:
    """As in `selftest | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        result = subprocess.run(
            [sys.executable, "-m", "timerwheel", "selftest", "--steps", "100"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert result.returncode == 141
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["turbo"], "invalid choice: 'turbo'"),
        (["info", "--reactor", "turbo"], "'turbo' is no reactor's short name"),
        (["replay"], "the following arguments are required: FILE"),
        (["replay", "file", "--rounds", "0"], "'0' is not a whole number above zero"),
        (["bench", "fast"], "unrecognized arguments: fast"),
        (["selftest", "--steps", "0"], "'0' is not a whole number above zero"),
        (["selftest", "--steps", "many"], "'many' is not a whole number above zero"),
        (["selftest", "--seed", "x"], "invalid int value: 'x'"),
        (["demo", "--seconds", "0"], "'0' is not a whole number from 1 to 3,600"),
        (["demo", "--timers", "99,000,000"], "is not a whole number from 1 to 10,000,000"),
        (["demo", "--reactor", "foo"], "'foo' is no reactor's short name. Known are default, "),
        (["demo", "--page", "70000"], "'70000' is not the number of a port"),
        (["top"], "the following arguments are required: ADDRESS"),
        (["top", "/s", "--interval", "0"], "'0' is not a number of seconds"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["bench", "fast"], ["info", "--reactor", "turbo"]])
def test_an_error_shows_the_usage_of_its_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.startswith(f"usage: python -m timerwheel {arguments[0]} [-h]")


@pytest.mark.parametrize("columns", [40, 79])
@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_cuts_no_word(
    command: list[str],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = []
    for width in columns, 200:
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        texts.append(capsys.readouterr().out)
    narrow, wide = texts
    assert narrow.split() == wide.split()
    for line in narrow.splitlines():
        assert len(line) <= columns or " " not in line.strip()


def test_there_is_a_script() -> None:
    (script,) = entry_points(group="console_scripts", name="timerwheel")
    assert script.load() is main


@pytest.mark.parametrize(
    ("path", "program"),
    [("/usr/bin/timerwheel", "timerwheel"), ("/lib/__main__.py", "python -m timerwheel")],
)
def test_help_calls_the_program_as_the_user_does(
    path: str, program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [path])
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    help_text = capsys.readouterr().out
    assert help_text.startswith(f"usage: {program} bench ")
    assert f"\n  {program} bench --json" in help_text


@pytest.mark.parametrize(
    ("command", "extra"), [(["bench"], "demo"), (["demo"], "demo"), (["top", "/s"], "top")]
)
def test_what_draws_a_table_says_that_it_needs_rich(
    command: list[str],
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(command) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(f"draws its table with rich: pip install timerwheel[{extra}]\n")
    assert len(printed.err.splitlines()) == 1
