"""One side: a process with one reactor, which plays a recording on request."""

from __future__ import annotations

import gc
import sys
from dataclasses import asdict
from typing import Any

from timerwheel.commands.replay.plan import make_plan
from timerwheel.commands.replay.player import Player, ReplayError
from timerwheel.commands.side_process import class_name, install, serve


def play(player: Player, way: str, times: int) -> dict[str, Any]:
    """Play so many times.

    @param way: `"time"`, `"probe"` or `"memory"`.

    @return: the `plays`, what each measured, and the `problem`: `None` when there is none.
    """
    try:
        if way == "memory":
            plays = [{"memory": player.memory()} for _ in range(times)]
        else:
            measure = player.time if way == "time" else player.probe
            plays = [asdict(measure()) for _ in range(times)]
    except ReplayError as error:
        return {"plays": [], "problem": str(error)}
    return {"plays": plays, "problem": None}


def main() -> None:
    """Print the reactor's class and the recording, and then play until the input ends."""
    name, path = sys.argv[1:]
    plan = make_plan(path)
    reactor = install(name)
    player = Player(reactor, plan)
    gc.collect()
    gc.freeze()  # so that no collection walks the plan
    greeting = {"reactor": class_name(reactor), "work": plan.fingerprint()}
    serve(greeting, lambda question: play(player, *question))


if __name__ == "__main__":
    main()
