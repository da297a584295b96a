"""
The commands of `python -m timerwheel`, a package each; the demonstration is in `timerwheel.demo`.

What makes a module a command is said in `timerwheel.__main__`.
"""
