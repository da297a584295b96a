"""Charts of the suite: nanoseconds an operation over the number of pending timers, log-log."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same results give the same file, and its text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "timerwheel", "svg.fonttype": "none"})

from matplotlib import pyplot  # noqa: E402

COLOURS = {
    "ours": "#0072b2",
    "stock": "#d55e00",
    "floor": "#999999",
    "asyncio": "#009e73",
    "uvloop": "#cc79a7",
}

# For readers with a dark screen: the same hues on a dark ground.
DARK = """\
<style>
@media (prefers-color-scheme: dark) { #figure_1 { filter: invert(0.93) hue-rotate(180deg) } }
</style>
"""


def draw(tables: dict[str, dict[int, dict[str, dict[int, float]]]], folder: Path) -> dict[str, str]:
    """Draw a chart of each workload that has several sizes. Returns title -> name of the file."""
    names = {}
    for title, sizes in tables.items():
        if len(sizes) > 1:
            names[title] = "".join(c if c.isalnum() else "-" for c in title) + ".svg"
            draw_one(title, sizes, folder / names[title])
    return names


def draw_one(title: str, sizes: dict[int, dict[str, dict[int, float]]], path: Path) -> None:
    """Draw one chart: a line for each party, at its best turn."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
    for party, colour in COLOURS.items():
        points = [
            (size, min(cells[party].values()))
            for size, cells in sorted(sizes.items())
            if party in cells
        ]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=party)
    axes.set(
        title=title, xscale="log", yscale="log", xlabel="pending timers", ylabel="ns an operation"
    )
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    head, group, rest = path.read_text().partition(' <g id="figure_1">')
    path.write_text(head + DARK + group + rest)
