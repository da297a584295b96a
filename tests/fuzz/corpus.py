"""The corpus that is kept: corpus.txt, an input a line, in hexadecimal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

KEPT = Path(__file__).with_name("corpus.txt")


def read() -> list[bytes]:
    """The inputs that are kept."""
    return [bytes.fromhex(line) for line in KEPT.read_text().splitlines()]


def write(inputs: Iterable[bytes]) -> None:
    """Keep these inputs, the shortest first."""
    lines = [data.hex() for data in sorted(inputs, key=lambda data: (len(data), data))]
    KEPT.write_text("\n".join(lines) + "\n")


def unpack(folder: Path) -> None:
    """Write each input that is kept into a file of its own, in a folder that has nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, data in enumerate(read()):
        (folder / f"kept-{number:03}").write_bytes(data)
