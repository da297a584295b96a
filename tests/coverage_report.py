"""Print which lines the tests reached: of the extension by gcov, of Python by coverage.py.

    python tests/coverage_report.py

Run where an extension built with TIMERWHEEL_COVERAGE=1 and Python under `coverage run` have left
their counts, as .ci/coverage does. Each line that was not reached is printed, but of modules that
need another platform. (C code that stands in the extension as such is not looked at.)

A comment in the extension, `# unreached: why`, speaks for what follows it in its block. Fails if a
line of the extension is not reached and has no such comment, or if a comment speaks for lines that
all are.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coverage import Coverage

# What the modules need that can run only elsewhere.
ELSEWHERE = {
    "cfreactor.py": "macOS",
    "glib2reactor.py": "PyGTK 2",
    "iocpreactor.py": "Windows",
    "kqreactor.py": "BSD or macOS",
    "win32eventreactor.py": "Windows",
    "wxreactor.py": "wxPython and a display",
}


@dataclass
class Source:
    """A file, its lines of code, and those of them that were reached."""

    path: Path
    code: set[int] = field(default_factory=set)
    reached: set[int] = field(default_factory=set)
    reasons: dict[int, str] = field(default_factory=dict)

    def print(self) -> None:
        needs = ELSEWHERE.get(self.path.name)
        counts = f"{self.path!s:46}{len(self.code):6}{len(self.reached):9}"
        if needs:
            print(f"{counts}  needs {needs}")
            return
        print(counts)
        text = self.path.read_text().splitlines()
        for line in sorted(self.code - self.reached):
            reason = self.reasons.get(line)
            print(f"{line:8}  {text[line - 1]}" + (f"    ({reason})" if reason else ""))

    def faults(self) -> Iterator[str]:
        """What is unreached without a reason, and the reasons that are none."""
        unreached = self.code - self.reached
        for line in sorted(unreached - self.reasons.keys()):
            yield f"{self.path}:{line} is not reached, and nothing says why"
        needed = {self.reasons[line] for line in unreached if line in self.reasons}
        for reason in sorted(set(self.reasons.values()) - needed):
            yield f"{self.path}: all is reached that is said not to be ({reason})"


# What Cython writes into the C code: before that of a line; before a function that Python calls, of
# which a line may have several; after a function.
MARK = re.compile(r'\s*/\* "(?:.*/)?([^/"]+)":(\d+)$')
WRAPPER = "/* Python wrapper */"
END = "}"
# Makes the constants of all lines, when the module is imported.
CONSTANTS = "__Pyx_InitCachedConstants"

REASON = re.compile(r"( *)# unreached: (.*)")


def extension() -> list[Source]:
    """The files of the extension, as gcov counted the C code that Cython made from them."""
    sources: dict[Path, Source] = {}
    for counted in sorted(Path("build").rglob("*.gcda")):
        for path, number, count in counts_in(counted):
            source = sources.setdefault(path, Source(path, reasons=reasons_in(path)))
            source.code.add(number)
            if count:
                source.reached.add(number)
    return [sources[path] for path in sorted(sources)]


def counts_in(counted: Path) -> Iterator[tuple[Path, int, int]]:
    """The counts of a module: for each line of C the file and line that it was made from."""
    command = ["gcov", "--json-format", "--stdout", str(counted)]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    for file in report["files"]:
        if not file["file"].startswith("ext/"):
            continue  # a header of Python's
        origins = origins_of(Path(file["file"]))
        for line in file["lines"]:
            origin = origins.get(line["line_number"])
            if origin and line["function_name"] != CONSTANTS:
                yield *origin, line["count"]


def origins_of(c_file: Path) -> dict[int, tuple[Path, int]]:
    """For each line of C, the file and the line that it was made from."""
    origins = {}
    marked = origin = None
    for number, line in enumerate(c_file.read_text().splitlines(), 1):
        if mark := MARK.match(line):
            marked = origin = c_file.with_name(mark[1]), int(mark[2])
        elif line == WRAPPER:
            origin = marked
        elif line == END:
            origin = None
        elif origin:
            origins[number] = origin
    return origins


def reasons_in(path: Path) -> dict[int, str]:
    """For the lines for which a comment speaks, what it says."""
    reasons = {}
    indent, reason = 0, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if said := REASON.fullmatch(line):
            indent, reason = len(said[1]), said[2]
        elif line and len(line) - len(line.lstrip()) < indent:
            reason = ""
        elif reason:
            reasons[number] = reason
    return reasons


def python_layer() -> list[Source]:
    """The files of the Python layer, as coverage.py saw them run."""
    coverage = Coverage()
    coverage.load()
    sources = []
    for name in sorted(coverage.get_data().measured_files()):
        _, code, _, unreached, _ = coverage.analysis2(name)
        path = Path(name).relative_to(Path.cwd())
        sources.append(Source(path, set(code), set(code) - set(unreached)))
    return sources


def main() -> int:
    print(f"{'file':46}{'lines':>6}{'reached':>9}")
    faults: list[str] = []
    for part, must_be_reached in (extension(), True), (python_layer(), False):
        for source in part:
            source.print()
            if must_be_reached:
                faults += source.faults()
        code = sum(len(source.code) for source in part)
        reached = sum(len(source.reached) for source in part)
        print(f"{'together':46}{code:6}{reached:9}\n")
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
