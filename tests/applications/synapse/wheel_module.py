import timerwheel


class Wheel:
    def __init__(self, config, api):
        from twisted.internet import reactor

        timerwheel.accelerate(reactor)
