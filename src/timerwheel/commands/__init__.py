"""The commands of `python -m timerwheel`, a package each, and what they share.

What makes a module a command is said in `timerwheel.__main__`.
"""
