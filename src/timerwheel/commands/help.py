"""How help is laid out: as wide as the terminal, whatever that is, and with no word cut."""

from __future__ import annotations

import argparse

from timerwheel.commands.report.text import fold


class HelpFormatter(argparse.HelpFormatter):
    """Fills paragraphs, and keeps what is indented or a heading line by line."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_fill(paragraph, width) for paragraph in text.split("\n\n"))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return fold(" ".join(text.split()), width).splitlines()


def _fill(paragraph: str, width: int) -> str:
    lines = paragraph.splitlines()
    if any(line.startswith(" ") for line in lines):  # examples
        return "\n".join(
            fold(line, width, "      ") if len(line) > width else line for line in lines
        )
    return fold(" ".join(lines), width)
