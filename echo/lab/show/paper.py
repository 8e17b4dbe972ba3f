"""The sheet that figures are drawn on, and its measures."""

import html
import io
import itertools
import logging
import re
from collections.abc import Iterable
from typing import Any, ClassVar

# Name of a colour -> its value.  Letters have a contrast of at least 4.5 : 1 on what is below them,
# and shapes one of 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11); a test computes it.
PALETTE = {
    "paper": "#fbfbf8",
    "ink": "#1f2328",
    "faint": "#5d636b",  # numbers and lines of the second rank
    "work": "#1b4f9c",
    "wait": "#fdeccb",
    "hatch": "#8a4200",
}
FIGURE_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "echo",  # names of patterns depend on it, and are random without
    "svg.fonttype": "none",  # letters stay letters: to be read aloud, searched, enlarged
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "hatch.linewidth": 0.9,
}

# All lengths are points (1/72 inch); a browser shows 9 points as 12 pixels.
SIZE = 9  # of letters
LETTER = 5.8  # the width of one letter, on the safe side: the reader's font may be wider
GAP = 22  # between two drawings side by side
EDGE = 8


class Drawing:
    """A figure in a notebook: SVG where there is a browser, the same in words elsewhere."""

    def __init__(self, summary: str, details: Iterable[str], svg: str):
        self.summary, self.details = summary, list(details)
        self.svg = with_words(svg, summary, self.details)

    def __str__(self) -> str:
        return "\n".join([self.summary, *self.details])

    __repr__ = __str__

    # Inline: an <img>, as JupyterLab makes of image/svg+xml, tells a screen reader nothing.
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.svg, "text/plain": str(self)}


def plate(sheet: "Sheet", x: float, y: float, text: str) -> None:
    """A word or two on paper, where what is below is hatched."""
    wide = len(text) * 6.4 + 2
    sheet.box(x - wide / 2, y - 5.5, wide, 11, "plate")
    sheet.text(x, y + 3, text, anchor="center")


def disc(sheet: "Sheet", x: float, y: float, text: str) -> None:
    sheet.circle(x, y, 7.5)
    sheet.text(x, y + 2.9, text, anchor="center", ink="paper", size=8 if len(text) < 2 else 7)


def entry_width(text: str) -> float:
    return 22 + len(text) * LETTER + 12


def flow(widths: list[float], room: float) -> list[list[int]]:
    """Which entries stand in which row."""
    rows: list[list[int]] = [[]]
    left = room
    for number, width in enumerate(widths):
        if rows[-1] and width > left:
            rows.append([])
            left = room
        rows[-1].append(number)
        left -= width
    return [row for row in rows if row]


class Sheet:
    """A matplotlib figure whose unit is the point, from the left and from the top.

    Everything is put where we say; matplotlib lays nothing out.  So no place depends on how wide
    a font is on this machine, and the bytes are the same under other versions of FreeType.
    """

    BOXES: ClassVar[dict[str, dict[str, Any]]] = {
        "wait": {"facecolor": "wait", "edgecolor": "hatch", "linewidth": 1, "hatch": "////"},
        "work": {"facecolor": "work", "edgecolor": "work", "linewidth": 1},
        "vain": {"facecolor": "paper", "edgecolor": "faint", "linewidth": 1, "dashed": True},
        "plate": {"facecolor": "paper", "edgecolor": "paper", "linewidth": 0},
        "plate edge": {"facecolor": "paper", "edgecolor": "faint", "linewidth": 1},
    }

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.svg = ""

    def __enter__(self) -> "Sheet":
        # Its first import warns of a slow font cache, and of a HOME where it cannot keep one.
        # Both are of no use to a learner, in whose cell it would stand.
        log = logging.getLogger("matplotlib")
        level = log.level
        log.setLevel(logging.ERROR)
        import matplotlib as mpl
        from matplotlib.figure import Figure

        log.setLevel(level)
        self._context = mpl.rc_context()
        self._context.__enter__()
        mpl.rcdefaults()  # whatever the reader has set for figures of her own
        mpl.rcParams.update(FIGURE_STYLE)
        self.figure = Figure(figsize=(self.width / 72, self.height / 72), dpi=72)
        self.figure.set_facecolor(PALETTE["paper"])
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.height, 0)
        self._order = itertools.count(1)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                file = io.StringIO()
                self.figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
                self.svg = lean(file.getvalue(), self.width, self.height)
        finally:
            self._context.__exit__(None, None, None)

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        from matplotlib.patches import Rectangle

        look = self.BOXES[kind]
        self._add(
            Rectangle(
                (x, y),
                width,
                height,
                facecolor=PALETTE[look["facecolor"]],
                edgecolor=PALETTE[look["edgecolor"]],
                linewidth=look["linewidth"],
                linestyle=(0, (3, 2)) if look.get("dashed") else "solid",
                hatch=look.get("hatch"),
            )
        )

    def circle(self, x: float, y: float, radius: float) -> None:
        from matplotlib.patches import Circle

        paper, ink = PALETTE["paper"], PALETTE["ink"]
        self._add(Circle((x, y), radius, facecolor=ink, edgecolor=paper, linewidth=1))

    def triangle(self, x: float, y: float) -> None:
        """A tip that points down to (x, y)."""
        from matplotlib.patches import Polygon

        ink = PALETTE["ink"]
        corners = [(x - 4, y - 7), (x + 4, y - 7), (x, y)]
        self._add(Polygon(corners, facecolor=ink, edgecolor=ink, linewidth=0.5))

    def line(
        self, x: float, y: float, to_x: float, to_y: float, ink: str, width: float = 1.0
    ) -> None:
        from matplotlib.lines import Line2D

        look: dict[str, Any] = {"color": PALETTE[ink], "linewidth": width, "solid_capstyle": "butt"}
        self._add(Line2D((x, to_x), (y, to_y), **look))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        ink: str = "ink",
        anchor: str = "left",
        upright: bool = False,
        bold: bool = False,
        size: float = SIZE,
    ) -> None:
        """Letters whose base line is at y; upright ones are read from the bottom up."""
        self.axes.text(
            x,
            y,
            text,
            parse_math=False,
            color=PALETTE[ink],
            fontsize=size,
            fontweight="bold" if bold else "normal",
            ha=anchor,
            va="baseline",
            rotation=90 if upright else 0,
            rotation_mode="anchor",
            zorder=next(self._order),
        )

    def _add(self, artist: Any) -> None:
        artist.set_zorder(next(self._order))
        artist.set_clip_on(False)
        self.axes.add_artist(artist)


TAG = re.compile(r"<[^<>]*>")
NUMBER = re.compile(r"-?\d+\.\d+")


def lean(text: str, width: float, height: float) -> str:
    """The <svg> of a file of matplotlib's, to stand in a page among others like it.

    Without what would concern the page (a style sheet for every element, names that are given
    anew in each figure), and without more decimals than can be seen.
    """
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r"<defs>\s*</defs>", "", text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(rf" font-family: [^;\"]*;|(?<=[\"; ])font-size: {SIZE}px;", "", text)
    text = re.sub(r" text-anchor: start;", "", text).replace('style=" ', 'style="')
    text = TAG.sub(lambda tag: NUMBER.sub(rounded, " ".join(tag[0].split())), text)
    text = re.sub(r"\n\s*", "\n", text)
    for _ in range(3):  # groups that hold one thing or nothing
        text = re.sub(r"<g>\s*</g>\n?", "", text)
        text = re.sub(r"<g>\n(<(?:path|text)[^>]*>(?:[^<]*</text>)?)\n</g>", r"\1", text)
    opening = (
        f'<svg width="{width:.0f}pt" height="{height:.0f}pt" '
        f'viewBox="0 0 {rounded(width)} {rounded(height)}" xmlns="http://www.w3.org/2000/svg" '
        'stroke-linejoin="round" stroke-linecap="butt" '
        f'font-family="\'DejaVu Sans\', Verdana, sans-serif" font-size="{SIZE}" '
        'style="max-width: 100%; height: auto">'
    )
    return TAG.sub(lambda tag: opening, text, count=1)


def rounded(number: Any) -> str:
    value = round(float(number[0] if isinstance(number, re.Match) else number), 1)
    return f"{value or 0:g}"  # and not -0


def with_words(svg: str, summary: str, details: Iterable[str]) -> str:
    """The picture with what a screen reader says of it: its name, and its description."""
    words = html.escape("\n".join(details), quote=False)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(summary)}" ', 1)
    return re.sub(r">", lambda _: f">\n<desc>{words}</desc>", svg, count=1)
