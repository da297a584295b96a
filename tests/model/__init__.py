"""Random programs, run on timers and on a plain model of them, step by step, to find differences.

A program is a list of actions (`actions.py`; drawn at random by `draw.py`):
callLater, cancel, reset, delay, a clock that moves, passes, questions, and scripts
of such actions that callbacks carry out. A side (`sides.py`) is one subject, a
reactor or a wheel or a clock (`subjects.py`), and all that shows of it.
`lockstep.py` runs one program on several sides and compares them after each step;
`profiles.py` lists what is compared with what.

The reference is an oracle (`oracles.py`): a list of pending calls that is searched
anew each time. `Oracle` says what our reactor does. What Twisted's own reactor
does otherwise is in `StockOracle`, and nowhere else. That ours and Twisted's agree
is compared without a detour too, in the profile "lockstep".

Equal times. Ours makes calls for the same instant in the order of scheduling. The
order of Twisted's heap is accidental there, and what the callbacks do to other
calls makes all that follows depend on it. So there are two ways. Twisted's calls
are told to compare themselves by (time, order of scheduling), see `OrderedCall`,
and the rest is Twisted's code as it is: then all three must be equal always. Or
Twisted's code is left alone, and the oracle is shown the order in which it made
its calls, and follows it as far as that is a choice among equals, see
`Oracle.follow`: then Twisted's must be what the oracle is, given that order.
"""
