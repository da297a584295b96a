import pytest_twisted
import timerwheel
from twisted.internet import reactor, task


@pytest_twisted.ensureDeferred
async def test_waits():
    print(timerwheel.status(reactor))
    assert await task.deferLater(reactor, 0.01, lambda: 7) == 7
