import timerwheel

timerwheel.install()

from deluge.core.daemon_entry import start_daemon

start_daemon()
