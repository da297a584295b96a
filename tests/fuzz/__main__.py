"""Fuzzes the files downstairs, the wheel and the heap in C, with an oracle as the judge.

    python tests/fuzz            for a minute
    python tests/fuzz 3600       for an hour
    python tests/fuzz 600 --keep and then add to corpus.txt what reaches something new

Needs Cython, setuptools and, on Debian, the packages clang and libclang-rt-14-dev.
Builds the target (target.pyx) with libFuzzer and with the sanitizers of addresses
and of undefined behaviour, and runs it in one process. It goes on from corpus.txt
and from what earlier runs have found, which is in .build/corpus. Exits with 1 if an
input makes the oracle or a sanitizer object; the input stays in .build.
tests/test_fuzz_corpus.py replays corpus.txt without clang.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import corpus
from building import HERE, build_program

BUILD = HERE / ".build"
KEPT, FOUND, LOG = BUILD / "kept", BUILD / "corpus", BUILD / "log"
# Long enough for some eighty operations.
LONGEST = 256
# An input that takes so many seconds hangs.
HANGS = 20
# How many lines are printed of what came before a failure.
EXPLAINED = 60


def main() -> int:
    """Build, fuzz, report. Returns the exit status."""
    options = parse()
    FOUND.mkdir(parents=True, exist_ok=True)
    corpus.unpack(KEPT)
    program = build_program(BUILD)
    status = fuzz(program, options.seconds)
    report()
    if status:
        explain(program)
        return 1
    if options.keep:
        keep(program)
    return 0


def parse() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python tests/fuzz",
        description="Fuzz the wheel and the heap in C, with an oracle as the judge.",
    )
    parser.add_argument(
        "seconds", nargs="?", type=int, default=60, help="how long (default: %(default)s)"
    )
    parser.add_argument(
        "--keep", action="store_true", help="add what reaches something new to corpus.txt"
    )
    return parser.parse_args()


def fuzz(program: Path, seconds: int) -> int:
    """Run libFuzzer, and return its exit status. Its output goes into the log; a few lines show."""
    command = [
        *(str(program), str(FOUND), str(KEPT)),
        *(f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={HANGS}"),
        # Inputs with thousands of timers are slow: they get a smaller share.
        "-entropic_scale_per_exec_time=1",
        *("-print_final_stats=1", f"-artifact_prefix={BUILD}/"),
    ]
    with (
        LOG.open("w") as log,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            log.write(line)
            if re.match(r"#\d+\s+(INITED|pulse|DONE)", line):
                print(line, end="", flush=True)
    return process.returncode


def report() -> None:
    """Print the closing statistics."""
    log = LOG.read_text()
    figures = {
        "executions": last(r"number_of_executed_units: (\d+)", log),
        "executions a second": last(r"average_exec_per_sec: +(\d+)", log),
        "coverage counters": last(r" cov: (\d+)", log),
        "features": last(r" ft: (\d+)", log),
        "inputs in the corpus": last(r" corp: (\d+)", log),
        "new inputs": last(r"new_units_added: +(\d+)", log),
        "slowest input, s": last(r"slowest_unit_time_sec: (\d+)", log),
        "peak memory, MiB": last(r"peak_rss_mb: +(\d+)", log),
        "crashes": len(failed_inputs(log)),
    }
    for name, figure in figures.items():
        print(f"{name:<22}{int(figure):>14,}")


def last(pattern: str, log: str) -> str:
    """The last figure that the log has under a pattern, or 0."""
    found = re.findall(pattern, log)
    return found[-1] if found else "0"


def failed_inputs(log: str) -> list[str]:
    """The files of the inputs that failed: libFuzzer ends at the first."""
    return re.findall(r"Test unit written to (.*/(?:crash|leak|oom|timeout)-.*)", log)


def explain(program: Path) -> None:
    """Show the operations of the input that failed; if there is none, how libFuzzer ended."""
    output = LOG.read_text()
    failed = failed_inputs(output)
    if failed:
        output = subprocess.run(
            [str(program), failed[0]],
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "FUZZ_STEPS": "1"},
        ).stderr
    print(*output.splitlines()[-EXPLAINED:], sep="\n")
    print("FAILED.", *(f"To replay it: FUZZ_STEPS=1 {program} {path}" for path in failed))


def keep(program: Path) -> None:
    """Add to corpus.txt the fewest inputs that reach what none in it reaches."""
    command = [str(program), "-set_cover_merge=1", "-use_counters=0", str(KEPT), str(FOUND)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    corpus.write(path.read_bytes() for path in KEPT.iterdir())
    print(f"{corpus.KEPT}: {len(corpus.read())} inputs")


if __name__ == "__main__":
    sys.exit(main())
