"""Arguments that a worker, submit() and request() refuse."""

from __future__ import annotations

from typing import Any

import pytest
from amqp_helpers import Bench

from timerwheel import Clock
from timerwheel.tasks import Scheduler
from timerwheel.tasks.amqp import Worker, request, submit


def test_wrong_use_is_refused(bench: Bench) -> None:
    connection: Any = bench.connection
    with pytest.raises(ValueError, match="tries must be at least 1"):
        Worker(bench.scheduler, connection, "jobs", tries=0)
    with pytest.raises(ValueError, match="a function 'run' already"):
        bench.worker.register("run", print)
    with pytest.raises(TypeError, match="needs a callable"):
        bench.worker.register("walk", 3)
    with pytest.raises(TypeError, match="priority"):
        bench.worker.register("walk", print, priority=1)
    with pytest.raises(ValueError, match="timeout"):
        bench.worker.close(-1)


def test_what_cannot_be_changed_is_read_only(bench: Bench) -> None:
    for name in ("queue", "succeeded", "failed", "poisoned", "is_ready", "messages"):
        with pytest.raises(AttributeError):
            setattr(bench.worker, name, 1)


def test_what_a_worker_cannot_be_made_of_is_refused(bench: Bench) -> None:
    scheduler, connection = bench.scheduler, bench.connection
    wrong: Any
    for wrong, said in [
        ((bench.clock, connection, "jobs"), "needs a Scheduler"),
        ((scheduler, "amqp://localhost/", "jobs"), "needs a Connection"),
        ((scheduler, connection, 3), "name of a queue"),
        ((connection, scheduler, "jobs"), "needs a Scheduler"),
    ]:
        with pytest.raises(TypeError, match=said):
            Worker(*wrong)
    with pytest.raises(TypeError, match="backoff must be callable"):
        Worker(scheduler, connection, "jobs", backoff=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": -1}, "a timeout must be seconds"),
        ({"timout": 5}, "timout"),
        ({"after": []}, "after"),
        ({"deadline": 5}, "deadline"),
        ({"retry": 3}, "retry must be a tenacity.Retrying"),
        ({"fallback": 3}, "3 is not callable"),
        ({"group": 3}, "group"),
        ({"group": Scheduler(Clock()).group("another's")}, "not a group of this scheduler"),
    ],
)
def test_an_option_that_no_task_can_have_is_refused_when_a_function_is_registered(
    bench: Bench, options: Any, said: str
) -> None:
    """Otherwise each message that asks for the function would go to the poison queue."""
    with pytest.raises((ValueError, TypeError), match=said):
        bench.worker.register("walk", print, **options)
    bench.worker.register("walk", print, timeout=5)


def test_a_worker_with_the_group_of_another_scheduler_is_refused(bench: Bench) -> None:
    group = Scheduler(bench.clock).group("another's")
    with pytest.raises(ValueError, match="not a group of this scheduler"):
        Worker(bench.scheduler, bench.connection, "jobs", group=group)  # type: ignore[arg-type]


@pytest.mark.parametrize("give", [submit, request])
def test_what_cannot_be_sent_is_refused_at_the_call(give: Any) -> None:
    wrong = ({"priority": 5}, {"priority": -6}, {"priority": 0.5}, {"delay": -1}, {"delay": 1e300})
    for options in wrong:
        with pytest.raises(ValueError, match="must be"):
            give(None, "jobs", "run", **options)
    with pytest.raises(TypeError, match="not JSON serializable"):
        give(None, "jobs", "run", object())
    with pytest.raises(TypeError, match="not JSON serializable: the key 1"):
        give(None, "jobs", "run", [({"a": {1: 2}},)])
    with pytest.raises(ValueError, match="JSON"):
        give(None, "jobs", "run", float("nan"))
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        give(None, "jobs", "run", loop)
    with pytest.raises(TypeError, match="function must be a string"):
        give(None, "jobs", None)


@pytest.mark.parametrize("give", [submit, request])
@pytest.mark.parametrize(
    ("queue", "id", "error"),
    [
        (None, None, TypeError),
        ("", None, ValueError),
        ("\u00e9" * 121, None, ValueError),  # 242 bytes, and .delay.4194304
        ("\ud800", None, ValueError),
        ("jobs", 5, TypeError),
        ("jobs", "x" * 256, ValueError),
        ("jobs", "\ud800", ValueError),
    ],
)
def test_a_name_that_amqp_cannot_have_is_refused_at_the_call(
    give: Any, queue: Any, id: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        give(None, queue, "run", id=id)
