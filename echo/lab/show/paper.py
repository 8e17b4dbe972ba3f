"""The sheet that figures are drawn on, and its measures."""

from collections.abc import Iterable
from typing import Any, ClassVar
from xml.etree import ElementTree

from echo.lab.display import Shown, image, light

# All lengths are points (1/72 inch); a browser shows 9 points as 12 pixels.
SIZE = 9  # of letters
SMALL = 8.5  # of letters in a box; below 11 pixels they are hard to read
LETTER = 5.8  # the width of one letter, on the safe side: the reader's font may be wider
GAP = 22  # between two drawings side by side
EDGE = 8


class Drawing(Shown):
    """A figure in a notebook: a picture where there is a browser, the same in words elsewhere."""

    def __init__(self, summary: str, details: Iterable[str], svg: str):
        self.summary, self.details, self.svg = summary, list(details), svg
        super().__init__("\n".join([summary, *self.details]), image(svg, summary, self.details))


def plate(sheet: "Sheet", x: float, y: float, text: str) -> None:
    """A word or two on paper, where what is below is hatched."""
    wide = len(text) * 6.4 + 2
    sheet.box(x - wide / 2, y - 5.5, wide, 11, "plate")
    sheet.text(x, y + 3, text, anchor="center")


def disc(sheet: "Sheet", x: float, y: float, text: str) -> None:
    """Letters on ink; of two and more, as wide as there is room."""
    sheet.circle(x, y, 7.5 if len(text) < 2 else 8.5)
    wide = 0 if len(text) < 2 else 13
    sheet.text(x, y + 3, text, anchor="center", ink="paper", size=SMALL, wide=wide)


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


HATCH = f"""<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="{light("wait")}"/>
<path d="M-1 1L1 -1M0 6L6 0M5 7L7 5" stroke="{light("hatch")}"/></pattern></defs>"""


class Sheet:
    """An SVG whose unit is the point, from the left and from the top; what comes later covers."""

    BOXES: ClassVar[dict[str, tuple[str, str, float]]] = {  # fill, edge, width of the edge
        "wait": ("url(#hatch)", "hatch", 1),
        "work": ("work", "work", 1),
        "vain": ("paper", "faint", 1),
        "plate": ("paper", "paper", 0),
        "plate edge": ("paper", "faint", 1),
    }

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {rounded(width)} {rounded(height)}",
                "width": f"{width:.0f}pt",
                "height": f"{height:.0f}pt",
                "font-family": "'DejaVu Sans', Verdana, sans-serif",
                "font-size": str(SIZE),
            },
        )
        self._root.append(ElementTree.fromstring(HATCH.replace("\n", "")))
        self._draw("rect", width=width, height=height, fill=light("paper"))

    def __enter__(self) -> "Sheet":
        return self

    def __exit__(self, *_: object) -> None:
        """A sheet has nothing to put away; the block shows where a drawing begins and ends."""

    @property
    def svg(self) -> str:
        """The drawing as it is now, an element in each line."""
        return ElementTree.tostring(self._root, encoding="unicode").replace("><", ">\n<")

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        fill, edge, line = self.BOXES[kind]
        look: dict[str, Any] = {"fill": light(fill), "stroke": light(edge), "stroke_width": line}
        if kind == "vain":
            look["stroke_dasharray"] = "3 2"
        self._draw("rect", x=x, y=y, width=width, height=height, **look)

    def circle(self, x: float, y: float, radius: float) -> None:
        self._draw("circle", cx=x, cy=y, r=radius, fill=light("ink"), stroke=light("paper"))

    def triangle(self, x: float, y: float) -> None:
        """A tip that points down to (x, y)."""
        corners = f"M{rounded(x - 4)} {rounded(y - 7)}h8L{rounded(x)} {rounded(y)}z"
        self._draw("path", d=corners, fill=light("ink"))

    def line(
        self, x: float, y: float, to_x: float, to_y: float, ink: str, width: float = 1.0
    ) -> None:
        self._draw("line", x1=x, y1=y, x2=to_x, y2=to_y, stroke=light(ink), stroke_width=width)

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
        wide: float = 0,
    ) -> None:
        """Letters whose base line is at y; upright ones are read from the bottom up.

        `wide`: they are fitted into so many points.
        """
        look: dict[str, Any] = {"fill": light(ink)}
        if anchor == "center":
            look["text-anchor"] = "middle"
        if upright:
            look["transform"] = f"rotate(-90 {rounded(x)} {rounded(y)})"
        if bold:
            look["font-weight"] = "bold"
        if size != SIZE:
            look["font-size"] = size
        if wide:
            look |= {"textLength": wide, "lengthAdjust": "spacingAndGlyphs"}
        self._draw("text", text, x=x, y=y, **look)

    def _draw(self, tag: str, text: str | None = None, /, **look: Any) -> None:
        attributes = {
            name.replace("_", "-"): value if isinstance(value, str) else rounded(value)
            for name, value in look.items()
        }
        ElementTree.SubElement(self._root, tag, attributes).text = text


def rounded(number: float) -> str:
    """With no more decimals than can be seen, and not -0."""
    return f"{round(float(number), 1) or 0:g}"
