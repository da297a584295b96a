from twisted.trial.unittest import TestCase

import timerwheel


class TestReactor(TestCase):
    def test_wheel(self):
        from twisted.internet import reactor

        assert timerwheel.status(reactor).accelerated
