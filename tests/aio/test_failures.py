"""Callbacks that raise: the loop's handler is told, or the loop is left."""

from __future__ import annotations

from typing import Any

import pytest
from aio_helpers import run_for


def test_a_failure_goes_to_the_loops_handler(loop: Any) -> None:
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: told.append(context))
    made: list[int] = []

    def fail() -> None:
        raise LookupError("no such thing")

    handle = loop.call_later(0.001, fail)
    loop.call_later(0.002, made.append, 1)
    run_for(loop, 0.02)
    assert made == [1]
    assert isinstance(told[0]["exception"], LookupError)
    assert told[0]["handle"] is handle
    assert told[0]["message"].startswith("Exception in callback ")
    traceback = told[0]["exception"].__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback.tb_frame.f_code is fail.__code__


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_leaves_the_loop_and_the_rest_stays(loop: Any, error: type) -> None:
    made: list[int] = []

    def fail() -> None:
        raise error

    when = loop.time() + 0.002
    loop.call_at(when, fail)
    loop.call_at(when + 1e-3, made.append, 1)
    with pytest.raises(error):
        loop.run_forever()
    run_for(loop, 0.02)
    assert made == [1]
