"""Builds the documentation as a site, with Sphinx; CONTRIBUTING.md has the command.

The source folder is the root of the repository, so that a relative link leads to the same file on
the site as it does in the repository. Sphinx warns about pages that are in no section of
docs/README.md, and about missing files, headings and pictures.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.parsers import Parser

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "CSTalk Bridge"
root_doc = "docs/README"
include_patterns = [
    "*.md",
    "config.yaml",
    "docs/*",
    "examples/*",
    "models/*.md",
    "models/weights/*.md",
    "rigmaps/*.yaml",
    "bridge/evaluation/adapters.py",
    "models/evaluation/catalog.py",
    "models/training/*.py",
]
source_suffix = {".md": "markdown", ".py": "python", ".yaml": "yaml"}

extensions = ["myst_parser"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "CSTalk Bridge"
html_favicon = "../../bridge/preview/page/icon.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_extra_path = ["index.html"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False


class SourceFile(Parser):
    """Shows a file of code as a page: its name as the title, below it the whole text."""

    supported = ("python", "yaml")

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Add a section with the text to the document, which needs no place in the sidebar."""
        self.setup_parse(inputstring, document)
        path = Path(document["source"])
        section = nodes.section(ids=[nodes.make_id(path.name)], names=[path.name])
        section += nodes.title(path.name, path.name)
        section += nodes.literal_block(
            inputstring, inputstring, language=source_suffix[path.suffix]
        )
        document += section
        env = document.settings.env
        env.metadata[env.docname]["orphan"] = ""
        self.finish_parse()


def add_sidebar(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Make the sidebar of the sections of the root page, from the pages that they link to."""
    if docname != root_doc:
        return
    for section in source[0].split("\n## ")[1:]:
        caption, _, text = section.partition("\n")
        links = re.findall(r"\[([^]]+)\]\(([\w./-]+\.(?:md|yaml))\)", text)
        pages = [f"{title} <{Path(path).with_suffix('')}>" for title, path in links]
        toctree = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]
        source[0] += "\n" + "\n".join(toctree) + "\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the parser and the sidebar."""
    app.add_source_parser(SourceFile)
    app.connect("source-read", add_sidebar)
    return {"parallel_read_safe": True}
