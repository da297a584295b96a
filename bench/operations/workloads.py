"""The workloads that the benchmarks measure.

Each has a function that prepares a party for a number of pending timers, and returns a `Run`: the
timed part, its number of operations, and an untimed check after it. The timed parts do the same for
each party, in the style of a program for that library.
"""

from operations.programs import (
    TWISTED,
    add_timeout,
    chat_server,
    clock,
    defer_later,
    looping_call,
    recorded,
    task,
    task_after,
)
from operations.runs import Workload
from operations.timers import (
    fire_burst,
    fire_spread,
    idle_pass,
    reset_later,
    reset_sooner,
    schedule_cancel,
    schedule_cancel_arguments,
    schedule_cancel_bound,
    schedule_cancel_keywords,
    schedule_cancel_method,
    schedule_keep,
)

LIBRARY = ("ours", "stock", "floor")
EVENT_LOOPS = ("asyncio", "uvloop")
EVERYONE = (*LIBRARY, *EVENT_LOOPS)

WORKLOADS = [
    Workload("schedule-cancel", "schedule + cancel", EVERYONE, schedule_cancel),
    Workload("reset-later", "reset later", LIBRARY, reset_later),
    Workload("reset-sooner", "reset sooner", TWISTED, reset_sooner, {"stock": 100_000}),
    Workload("keep", "schedule, timers kept", EVERYONE, schedule_keep),
    Workload("fire-spread", "fire, spread over 600 passes", (*LIBRARY, "asyncio"), fire_spread),
    Workload("fire-burst", "fire, all in one pass", (*LIBRARY, "asyncio"), fire_burst),
    Workload("idle-pass", "one idle pass", TWISTED, idle_pass),
    Workload(
        "asyncio-reactor",
        "schedule + cancel on the asyncio reactor",
        ("ours on asyncio", "stock on asyncio"),
        schedule_cancel,
        only=1000,
    ),
    Workload("bound", "… with callLater in a variable", LIBRARY, schedule_cancel_bound, only=1000),
    Workload("arguments", "… with arguments", LIBRARY, schedule_cancel_arguments, only=1000),
    Workload("keywords", "… with a keyword", TWISTED, schedule_cancel_keywords, only=1000),
    Workload("method", "… with a bound method", LIBRARY, schedule_cancel_method, only=1000),
    Workload(
        "chat-server",
        "traffic of a chat server with 100,000 connections",
        TWISTED,
        chat_server,
        only=100_000,
    ),
    Workload("clock", "Clock: a call and its part of the advance", TWISTED, clock, only=10_000),
    Workload("looping-call", "LoopingCall, a tick", TWISTED, looping_call, only=1000),
    Workload("defer-later", "deferLater", TWISTED, defer_later, only=1000),
    Workload("add-timeout", "Deferred.addTimeout", TWISTED, add_timeout, only=1000),
    recorded("crawl", "recorded: Scrapy crawls a site"),
    recorded("irc", "recorded: an IRC server of twisted.words"),
    recorded("wamp", "recorded: a WAMP router, crossbar"),
]

# Of timerwheel.tasks instructions are counted. Its times are in test_tasks.py and task_graph.py.
TASKS = [
    Workload("task", "a task, made and run", TWISTED, task, only=1000),
    Workload("task-after", "a task, made and run after another", TWISTED, task_after, only=1000),
]
