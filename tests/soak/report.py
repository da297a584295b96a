"""What is printed of a run, and what of it is wrong."""

from __future__ import annotations

from typing import Any

from run import LEAST_PASSES, Result

MIB = 2**20

# By how much memory may have grown from the end of the first round to that of the last. All the
# time the same number of calls is pending, so blocks differ only by what else is going on.
RSS_LIMIT = 4 * MIB
BLOCKS_LIMIT = 5_000


def progress_line(seconds: float, figures: dict[str, Any]) -> str:
    """One line on how it goes."""
    kinds = ("armed", "fired", "moved", "lost", "doubled", "early", "disordered")
    counts = ", ".join(f"{figures[kind]:,} {kind}" for kind in kinds)
    return f"  {seconds:4.0f} s: {counts}"


def table(result: Result) -> list[tuple[str, str]]:
    """The names and figures that are printed."""
    counts = {**work(result), **faults(result)}
    return [
        ("seconds", f"{result.seconds:.1f}"),
        *((name, f"{count:,}") for name, count in counts.items()),
        *costs(result),
    ]


def work(result: Result) -> dict[str, int]:
    """What was done, of which there must be some of each."""
    figures, injected = result.figures, result.injected
    return {
        "timers armed": figures["armed"],
        "timers fired": figures["fired"],
        "timers cancelled": figures["cancelled"],
        "timers moved": figures["moved"],
        "timers from threads": figures["threads"]["made"],
        "chat messages": figures["chat"]["messages"],
        "chat idle timeouts": figures["chat"]["hung_up"],
        "clock steps forward": injected.get("forward", 0),
        "clock steps back": injected.get("back", 0),
        "stops": injected.get("stops", 0),
        "GIL holds": injected.get("holds", 0),
        "forks": figures["copies"],
        "signals sent": injected.get("signals", 0),
        "bursts of alarms": injected.get("alarms", 0),
        "signals handled": figures["signals"]["made"],
        "exceptions raised": figures["raised"],
        "passes": figures["passes"],
        "checks": figures["checks"],
    }


def faults(result: Result) -> dict[str, int]:
    """What the judge found, of which there must be none."""
    figures = result.figures
    parts = (figures, figures["threads"], figures["signals"], figures["chat"])
    return {
        "lost": figures["lost"] + figures["overdue"],
        "doubled": sum(part.get("doubled", 0) for part in parts),
        "early": sum(part.get("early", 0) for part in parts),
        "out of order": figures["disordered"],
        "wrong deadline told": figures["misdated"],
        "invariants broken": len(figures["unsound"]),
        "forks found unsound": figures["faulty_copies"],
        "exceptions not logged": figures["raised"] - figures["logged"],
        "other failures": len(figures["other_failures"]),
    }


def costs(result: Result) -> list[tuple[str, str]]:
    """Wakes, memory and lateness."""
    start, end = result.memory
    p50, p99 = result.figures["lateness"]
    return [
        ("passes when left alone", f"{result.figures['passes_alone']:,}"),
        ("RSS at start, MiB", f"{start['rss'] / MIB:.1f}"),
        ("RSS at end, MiB", f"{end['rss'] / MIB:.1f}"),
        ("blocks at start", f"{start['blocks']:,}"),
        ("blocks at end", f"{end['blocks']:,}"),
        ("lateness p50, us", microseconds(p50)),
        ("lateness p99, us", microseconds(p99)),
        ("lateness max, us", microseconds(result.figures["lateness_max"])),
    ]


def problems(result: Result) -> list[str]:
    """What is wrong: a sentence each."""
    start, end = result.memory
    found = [*result.problems, *result.figures["unsound"], *result.figures["other_failures"]]
    found += [f"{name}: none" for name, count in work(result).items() if count == 0]
    found += [f"{name}: {count:,}" for name, count in faults(result).items() if count != 0]
    if result.figures["passes_alone"] < LEAST_PASSES:
        found.append("it sleeps past deadlines when nothing but timers wakes it")
    if end["rss"] - start["rss"] > RSS_LIMIT:
        found.append(f"RSS grew by {(end['rss'] - start['rss']) / MIB:.1f} MiB")
    if end["blocks"] - start["blocks"] > BLOCKS_LIMIT:
        found.append(f"blocks grew by {end['blocks'] - start['blocks']:,}")
    return found


def microseconds(seconds: float | None) -> str:
    """Rounded; a dash if nothing was measured."""
    return "-" if seconds is None else f"{1e6 * seconds:,.0f}"
