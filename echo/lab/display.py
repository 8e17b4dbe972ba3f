"""What a cell displays: HTML where there is a browser, and the same in words elsewhere.

Here are the class of it, its colors, and the look of a verdict.  The words are what a terminal
shows, what a screen reader says, and what a test compares.
"""

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from echo.lab import notebook

# Name of a color -> its value on light and on dark paper.  Figures, cells and verdicts bring the
# light paper with them.  Letters have a contrast of at least 4.5 : 1 on what is below them, and
# shapes one of 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11); a test computes it.
PALETTE = {
    "paper": ("#fbfbf8", "#1b1d20"),
    "ink": ("#1f2328", "#e3e5e8"),
    "faint": ("#5d636b", "#a9b0b8"),  # numbers and lines of the second rank
    "gone": ("#ffdfda", "#54231f"),  # and what is wrong
    "new": ("#d3f2d8", "#173f24"),  # and what is right
    "quiet": ("#e6e8eb", "#33373c"),  # neither
    "work": ("#1b4f9c", "#8fbcf5"),
    "wait": ("#fdeccb", "#4a3a1a"),
    "hatch": ("#8a4200", "#f0b27a"),
    "keyword": ("#7a2a8c", "#d9a2ea"),
    "string": ("#22662e", "#9fd3a4"),
}


def light(name: str) -> str:
    """The value of a color on light paper; of no name of ours, the name."""
    return PALETTE[name][0] if name in PALETTE else name


class Shown:
    """What a cell displays: HTML where there is a browser, the same as text elsewhere."""

    def __init__(self, text: str, markup: str):
        self.text, self.markup = text, markup

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.markup, "text/plain": self.text}


def escaped(text: str) -> str:
    """Text as the content of an HTML element."""
    return html.escape(text, quote=False)


def image(svg: str, summary: str, details: Iterable[str]) -> str:
    """A drawing as HTML: its name is what a screen reader says first, the rest can be opened.

    An <img>, for JupyterLab drops <svg> from a notebook that has not run yet, and so is not
    trusted.  Where the <img> is dropped as well, as GitHub does, its words are left.  Its letters
    shrink with it, so it does so only down to a width, and then its box scrolls.
    """
    data = base64.b64encode(svg.encode()).decode()
    words = escaped("\n".join(details))
    return (
        f'<img alt="{html.escape(summary)}" style="max-width: max(100%, 36rem)" '
        f'src="data:image/svg+xml;base64,{data}">\n'
        f"<details><summary>In words</summary>\n<pre>{words}</pre></details>"
    )


# -- verdicts ----------------------------------------------------------------------------------

SIGNS = {"right": "\N{CHECK MARK}", "wrong": "\N{BALLOT X}", "open": "\N{WHITE CIRCLE}"}
PAPERS = {"right": "new", "wrong": "gone", "open": "quiet"}


class Line(NamedTuple):
    """A part of a verdict: what kind of news it is, and its words, which may be several lines."""

    kind: str  # of SIGNS, or "" for what only belongs to the line above
    text: str


class Verdict(Shown):
    """What a check says in the end: by a color, by a sign and in words."""

    def __init__(self, kind: str, lines: Sequence[Line]):
        self.kind = kind
        signed = "\n".join(map(signed_html, lines)).lstrip("\n")
        super().__init__("\n".join(one.text for one in lines), block(kind, signed))


def signed_html(line: Line) -> str:
    """A line with its sign, below the empty lines with which it begins."""
    text = line.text.lstrip("\n")
    above = "\n" * (len(line.text) - len(text))
    return above + escaped(f"{SIGNS[line.kind]} {text}" if line.kind else text)


def block(kind: str, body: str) -> str:
    """Preformatted HTML on the paper of its kind."""
    # Each as an attribute, which JupyterLab keeps where it drops a style sheet.
    look = (
        f"background: {light(PAPERS[kind])}; color: {light('ink')}; padding: 6px 10px; "
        "margin: 0; white-space: pre-wrap"
    )
    return f'<pre style="{look}">{body}</pre>'


def say(kind: str, *lines: str | Line) -> None:
    """Display a verdict; print it where there is no notebook.

    `kind`: "right", "wrong" or "open" (not attempted); a line of no kind of its own has it, if it
    is the first.
    """
    parts = [
        one if isinstance(one, Line) else Line("" if number else kind, one)
        for number, one in enumerate(lines)
    ]
    shown = Verdict(kind, parts)
    if not notebook.display(shown):
        print(shown)


class Said(str):
    """Text that a notebook shows as it is, without quotes; a verdict if it has a kind."""

    kind = ""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        return block(self.kind, escaped(self)) if self.kind else None


def judged(kind: str, text: str) -> Said:
    """A verdict in one line, which is text too: what a lesson may print."""
    said = Said(f"{SIGNS[kind]} {text}")
    said.kind = kind
    return said
