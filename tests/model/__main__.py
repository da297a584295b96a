"""Runs random programs on ours, on Twisted's own and on an oracle, and compares after each step.

    python tests/model                        a hundred thousand steps, of all profiles together
    python tests/model --steps 1000000
    python tests/model --profile asyncio --seed 7

Prints a line for each profile (what these are says profiles.py). Exits with 1 if there was a
difference, and prints the smallest program that shows it; the seed brings it back.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.lockstep import Profile, silence
from model.profiles import PROFILES
from model.runner import Result, run


def main() -> int:
    """Run the profiles one after another. Returns the exit status."""
    options = parse()
    silence()
    profiles = [p for p in PROFILES if p.name in options.profile] if options.profile else PROFILES
    print(f"seed {options.seed}")
    began = time.monotonic()
    results = [
        run_profile(profile, options.seed, options.steps // len(profiles)) for profile in profiles
    ]
    print_line("all", results, time.monotonic() - began)
    return 1 if any(result.failure for result in results) else 0


def parse() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python tests/model",
        description="Run random programs on ours, on Twisted's own timers and on an oracle.",
    )
    parser.add_argument(
        "--steps", type=int, default=100_000, help="in all profiles together (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(2**32), help="(default: another each time)"
    )
    parser.add_argument(
        "--profile",
        action="append",
        choices=[profile.name for profile in PROFILES],
        help="may be given again (default: all)",
    )
    return parser.parse_args()


def run_profile(profile: Profile, seed: int, steps: int) -> Result:
    """Run a profile; print how far it is, and what came of it."""
    began = time.monotonic()

    def tell(done: int) -> None:
        if sys.stdout.isatty():
            print(f"\r{profile.name:<12} {done:>10,} of {steps:,} steps", end="", flush=True)

    result = run(profile, seed, steps, tell)
    print("\r" if sys.stdout.isatty() else "", end="")
    print_line(profile.name, [result], time.monotonic() - began)
    if result.failure is not None:
        print(f"\nThe smallest program that fails in {profile.name}: {result.failure}\n")
    return result


def print_line(name: str, results: list[Result], seconds: float) -> None:
    """Print what came of some runs."""
    steps, made = sum(result.steps for result in results), sum(result.made for result in results)
    differences = sum(result.failure is not None for result in results)
    print(
        f"{name:<12} {steps:>10,} steps {steps / seconds:>8,.0f}/s {made:>10,} calls made"
        f" {differences:>3} differences",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
