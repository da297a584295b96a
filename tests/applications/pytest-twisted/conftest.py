import timerwheel

timerwheel.install()
