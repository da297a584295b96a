from twisted.internet import reactor

import timerwheel

timerwheel.accelerate(reactor)
