"""A live view of the timers of a program that runs, in a terminal."""
