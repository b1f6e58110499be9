"""The picture as one HTML file that needs nothing else: SVG with text that can be selected."""

from __future__ import annotations

import base64
import io
import re
import warnings
from html import escape
from typing import IO, TYPE_CHECKING, Any

import matplotlib as mpl

from bridge.plot.check_bands import clock, in_words
from bridge.plot.sheet import WIDTH
from bridge.plot.theme import FONT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from bridge.plot.study import Study
    from bridge.plot.theme import Theme

MOST_SVG_BYTES = 1_000_000
"""A drawing larger than this becomes a PNG within the page."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The page may load nothing."""


def png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    file = io.BytesIO()
    _save(figure, file, format="png")
    return file.getvalue()


def svg(figure: Figure) -> str:
    """Return a figure as an SVG element, the same for the same figure."""
    file = io.StringIO()
    # Text stays text; identifiers do not change from one drawing to the next.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cstalk"}):
        _save(figure, file, format="svg", metadata={"Date": None})
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub("<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return drawing.replace(f"'{FONT}'", f"'{FONT}', Verdana, sans-serif")


def page(figure: Figure, studies: Sequence[Study], theme: Theme) -> str:
    """Return the document: the picture, and below it everything that was found, in words."""
    title = " and ".join(escape(study.take.name) for study in studies)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{_style(theme)}</style>\n</head>\n<body>\n"
        f"{_picture(figure, title)}\n{''.join(_tables(studies))}</body>\n</html>\n"
    )


def _save(figure: Figure, file: IO[Any], **settings: Any) -> None:
    with warnings.catch_warnings():
        # A name in a script which the font lacks shows as boxes; that is no reason for a warning.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, **settings)


def _picture(figure: Figure, title: str) -> str:
    drawing = svg(figure)
    if len(drawing) <= MOST_SVG_BYTES:
        return drawing
    data = base64.b64encode(png(figure)).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{title}">'


def _style(theme: Theme) -> str:
    return (
        f"body {{ margin: 0 auto; max-width: {WIDTH}px; background: {theme.paper};"
        f" color: {theme.ink}; font: 16px '{FONT}', Verdana, sans-serif; }}\n"
        "svg, img { display: block; width: 100%; height: auto; }\n"
        "section { margin: 0 32px 32px; overflow-x: auto; }\n"
        "h2 { font-size: 18px; }\n"
        "td, th { padding: 3px 28px 3px 0; text-align: left; white-space: nowrap; }\n"
        f"th, td:last-child {{ color: {theme.soft}; font-weight: normal; }}\n"
        "td:first-child { font-variant-numeric: tabular-nums; }\n"
    )


def _tables(studies: Sequence[Study]) -> Iterator[str]:
    for study in studies:
        found = study.findings
        if not found.kept:
            continue
        total = sum(found.counts.values())
        rest = total - len(found.kept)
        more = f" (the worst {len(found.kept)})" if rest else ""
        yield (
            f"<section>\n<h2>{total:,} warnings in {escape(study.take.name)}{more}</h2>\n<table>\n"
            "<tr><th>at</th><th>curve</th><th>kind</th><th>size</th><th>limit</th></tr>\n"
        )
        for finding in found.kept:
            cells = (clock(finding.start_s), *in_words(finding))
            yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
        yield "</table>\n</section>\n"
