import timerwheel

timerwheel.install()

from wormhole.cli.cli import wormhole

wormhole()
