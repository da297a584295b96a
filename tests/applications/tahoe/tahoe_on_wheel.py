import timerwheel

timerwheel.install()

from allmydata.scripts.runner import run

run()
