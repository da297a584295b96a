"""How Sphinx makes the manual: `sphinx-build -W docs docs/.build`, with timerwheel installed."""

import re
from importlib import metadata
from typing import Any

project = "timerwheel"
copyright = "The timerwheel developers"
release = metadata.version("timerwheel")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = [".build"]
html_theme = "furo"
html_title = f"timerwheel {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"


def as_plain_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings here are plain text, in which *args is no emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def without_self(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: Any, returns: Any
) -> tuple[Any, Any]:
    """Methods of the extension have signatures that begin with self."""
    return signature and re.sub(r"^\(self(, )?", "(", signature), returns


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", as_plain_text)
    app.connect("autodoc-process-signature", without_self)
