"""The report as a single page for a browser: `demo --html FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from timerwheel.commands.demo.figures import Figure, quantity
from timerwheel.commands.demo.rounds import SIDES

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>timerwheel: a server under load</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1rem; margin: 1.5rem 0 .25rem; }}
h2 span {{ float: right; }}
.bar {{ display: flex; align-items: center; gap: .5rem; }}
.bar b {{ font-weight: normal; width: 3rem; }}
.bar i {{ height: 1rem; min-width: 1px; }}
.stock i {{ background: #b45309; }}
.ours i {{ background: #0d9488; }}
.bar small {{ white-space: nowrap; }}
</style>
<h1>A server under load</h1>
<p>{heading}</p>
{figures}
{notes}
<p>{versions}</p>
</html>
"""


def html_report(
    heading: str, figures: Sequence[Figure], notes: Sequence[str], versions: str
) -> str:
    """@return: the whole page; it loads nothing."""
    return _PAGE.format(
        heading=escape(heading),
        figures="\n".join(_figure(figure) for figure in figures),
        notes="\n".join(f"<p>{escape(note)}</p>" for note in notes),
        versions=escape(versions),
    )


def _figure(figure: Figure) -> str:
    longest = max(figure.stock.middle, figure.ours.middle)
    bars = []
    for side in SIDES:
        spread = getattr(figure, side)
        width = 60 * spread.middle / longest if longest else 0.0
        bars.append(
            f'<div class="bar {side}"><b>{side}</b><i style="width: {width:.1f}%"></i>'
            f"<small>{quantity(spread.middle)} ({quantity(spread.least)} to "
            f"{quantity(spread.most)})</small></div>"
        )
    kind = figure.kind
    title = f"{escape(kind.label)}, {escape(kind.unit)} <span>{escape(figure.verdict)}</span>"
    return f"<h2>{title}</h2>\n" + "\n".join(bars)
