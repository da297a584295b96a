"""A live view of the timers of a running program, in a terminal."""
