"""Runs random programs that do what no reactor expects, on Twisted's own and on one with the wheel.

    python tests/hostile                        ten thousand programs, of all profiles
    python tests/hostile --programs 100000 --seed 7
    python tests/hostile --profile memory --profile patches
    python tests/hostile --only "memory 7 2945"

Prints a line for each profile (`profiles.py` says what these are), how often each kind of step was
drawn, and the differences. Each has the smallest program that shows it, and how often its like
occurred. Exits with 1 if there was a difference. The same seed draws the same programs; --only
runs one again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.lockstep import silence

from hostile.profiles import PROFILES, Profile
from hostile.runner import Result, profile_named, run, run_batch, settle


def main() -> int:
    """Run the profiles one after another. Returns the exit status."""
    options = parse()
    silence()
    settle()
    if options.only:
        return run_one(options.only)
    profiles = [profile_named(name) for name in options.profile] or PROFILES
    print(f"seed {options.seed}")
    shares = sum(profile.share for profile in profiles)
    began = time.monotonic()
    results = [
        run_profile(profile, options.seed, max(1, round(options.programs * profile.share / shares)))
        for profile in profiles
    ]
    print_line("all", results, time.monotonic() - began)
    kinds: Counter[str] = sum((result.kinds for result in results), Counter())
    print("steps: " + ", ".join(f"{name} {count:,}" for name, count in kinds.most_common()))
    for profile, result in zip(profiles, results, strict=True):
        print_failures(profile, result)
    return 1 if any(result.failures for result in results) else 0


def parse() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python tests/hostile",
        description="Run random programs that do what no reactor expects, on both sides.",
    )
    parser.add_argument(
        "--programs",
        type=int,
        default=10_000,
        help="in all profiles together (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(2**32), help="(default: another each time)"
    )
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        choices=[profile.name for profile in PROFILES],
        help="may be given again (default: all)",
    )
    parser.add_argument("--only", help="run one program: its profile, seed and number")
    return parser.parse_args()


def run_one(seed: str) -> int:
    """Run the program of a seed that a run has printed. Returns the exit status."""
    profile = profile_named(seed.split()[0])
    result = Result()
    run_batch(profile, [seed], result)
    print(profile.program(seed))
    print_failures(profile, result)
    return 1 if result.failures else 0


def run_profile(profile: Profile, seed: int, programs: int) -> Result:
    """Run a profile; print how far it is, and what came of it."""
    began = time.monotonic()

    def tell(done: int) -> None:
        if sys.stdout.isatty():
            print(f"\r{profile.name:<12} {done:>10,} of {programs:,}", end="", flush=True)

    result = run(profile, seed, programs, tell)
    print("\r" if sys.stdout.isatty() else "", end="")
    print_line(profile.name, [result], time.monotonic() - began)
    return result


def print_line(name: str, results: list[Result], seconds: float) -> None:
    """Print what came of some runs."""
    programs = sum(result.programs for result in results)
    differing = sum(result.differing for result in results)
    print(
        f"{name:<12} {programs:>8,} programs {programs / seconds:>6,.0f}/s {differing:>6,} differ",
        flush=True,
    )


def print_failures(profile: Profile, result: Result) -> None:
    """Print each kind of difference, and the smallest program that shows it."""
    for group, failure in sorted(result.failures.items(), key=lambda item: -item[1].count):
        print(f"\n{failure.count:,} times in {profile.name}, first by {failure.seed!r}: {group}")
        print(f"{failure.program}    {failure.difference}")
        if failure.before:
            print(f"    after {', '.join(map(repr, failure.before))} in one process")


if __name__ == "__main__":
    sys.exit(main())
