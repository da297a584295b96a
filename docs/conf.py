"""How Sphinx makes the manual: `sphinx-build -W docs docs/.build`, with timerwheel installed."""

from importlib import metadata
from typing import Any

project = "timerwheel"
release = metadata.version("timerwheel")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = [".build"]
html_theme = "furo"
html_title = f"timerwheel {release}"
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"


def as_plain_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings here are plain text, in which *args is no emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", as_plain_text)
