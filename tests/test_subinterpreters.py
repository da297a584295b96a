"""Subinterpreters are not supported, and importing timerwheel in one says so in a sentence."""

from __future__ import annotations

from helpers import run_python

# Imports timerwheel in the main interpreter, then in another; prints what that raises.
PROGRAM = """
    import json, sys
    import timerwheel
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
        run = interpreters.exec
    else:
        import _xxsubinterpreters as interpreters
        run = interpreters.run_string
    error = None
    interpreter = interpreters.create()
    try:
        result = run(interpreter, "import timerwheel")
    except interpreters.RunFailedError as raised:
        error = str(raised)
    else:
        error = result and result.formatted
    interpreters.destroy(interpreter)
    print(json.dumps(error))
"""


def test_importing_it_beside_the_main_interpreter() -> None:
    error = run_python(PROGRAM)
    assert "timerwheel does not support subinterpreters" in error
    assert "reinstall" not in error
