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
pygments_dark_style = "a11y-dark"  # the theme's own underlines module names, as if they were links
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


def without_extensions(app: Any, env: Any) -> None:
    """The list of source pages would link to the extension modules, which have no such page."""
    pages = env._viewcode_modules
    for name in [name for name, source in pages.items() if not source]:
        del pages[name]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", as_plain_text)
    app.connect("autodoc-process-signature", without_self)
    app.connect("env-updated", without_extensions)
