import timerwheel

timerwheel.install()

from synapse.app.homeserver import main

main()
