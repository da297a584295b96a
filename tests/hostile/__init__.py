"""Random programs that do what no reactor expects, on Twisted's own and on one with the wheel.

The model test (`tests/model`) plays fair: it schedules, cancels and moves. These programs also
patch methods, attributes and handles; travel in time; collect garbage in bad moments; resurrect
what is being destroyed; run the loop in itself; use threads; fork; close descriptors that are not
theirs. The stock reactor is the reference: whatever it does, the other must do too.

A program is a setting (which reactor, which clock) and a list of steps. `draw.py` draws both at
random, by the weights of a profile (`profiles.py`). The steps are in `timers.py`, `patches.py`,
`memory.py`, `system.py` and `travel.py`, by what they do to a program. `world.py` has a side: a
reactor, the program's calls, and all that shows of them after each step. Each side runs the whole
program by itself, because a patch of a class would show on the other.

Children run the programs (`children.py`), because a side may crash or hang. `runner.py` compares
what the sides showed and shrinks programs that differ.

What `docs/differences.md` lists does not occur. All calls are due at different times; no
time is NaN; only what can be called is scheduled; the clock goes back in no callback.
"""
