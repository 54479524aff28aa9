"""How Sphinx builds the documentation: ``make docs`` writes it to build/docs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import coterie
from coterie.cli import COMMANDS

# the gallery finds its order there
sys.path.insert(0, str(Path(__file__).parent))

project = "coterie"
author = "the authors of coterie"
version = release = coterie.__version__
project_copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["guides/*.ipynb", "guides/*.py", "guides/*.md5", "guides/*.json"]
# single backquotes in docstrings: a link where the name is documented, else code
default_role = "autolink"

templates_path = ["_templates"]
html_theme = "furo"
html_title = "coterie"
html_static_path = ["_static"]
html_css_files = ["coterie.css"]
html_copy_source = False
html_show_copyright = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "guides",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery.place_of",
    "remove_config_comments": True,
    "show_memory": False,
    # its page would load scripts from elsewhere
    "write_computation_times": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
}

# the width of the command line's help does not depend on the terminal of the build
os.environ["COLUMNS"] = "100"
# the output of a guide does not show the progress of loading weights
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


class CommandHelp(SphinxDirective):
    """What ``coterie COMMAND --help`` prints: ``.. command-help:: fit``."""

    required_arguments = 1
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        text = COMMANDS[self.arguments[0]].parser([]).format_help()
        return [nodes.literal_block(text, text, language="none")]


def link_names(app: Sphinx, page: str, source: list[str]) -> None:
    """Link the names of this library in a Markdown page, and remove the links of unmeasured numbers."""
    source[0] = re.sub(r'\[(not measured yet)\]\(results\.md#[^"]*"[^"]*"\)', r"\1", source[0])
    source[0] = re.sub(r"(?<![`}])`(coterie\.[\w.]+)`(?!`)", r"{py:obj}`\1`", source[0])


def show_all_figures(app: Sphinx, page: str, source: list[str]) -> None:
    """Append the figures that the page of figures does not mention."""
    if page == "figures":
        for path in sorted(Path(app.srcdir, "figures").glob("*.png")):
            if path.name not in source[0]:
                title = path.stem.replace("-", " ")
                source[0] += f"\n## {title}\n\n![{title}](figures/{path.name})\n"


def setup(app: Sphinx) -> None:
    """Register the directive and the handlers of this site."""
    app.add_directive("command-help", CommandHelp)
    app.connect("source-read", link_names)
    app.connect("source-read", show_all_figures)
