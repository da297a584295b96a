"""A loop in a process that is forked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_is_forked_has_its_own_loop() -> None:
    program = """
import asyncio, os, sys
from timerwheel import aio
loop = aio.new_event_loop()
loop.call_later(1000, print)
child = os.fork()
if not child:
    async def main():
        await asyncio.sleep(0.001)
    aio.run(main())
    os._exit(7)
loop.call_later(0.01, loop.stop)
loop.run_forever()
loop.close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 7)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
