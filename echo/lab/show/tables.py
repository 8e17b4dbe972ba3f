"""Tables of words, as text and as HTML.

The text is what tests compare.  The HTML says the same with <table>, and wears the theme of the
page; it has no style sheet, for many readers drop one: what it needs stands in attributes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from echo.lab.display import Shown, escaped, light

LEFT = 'style="text-align: left"'
# Ink and paper of a cell that has a look: its words say the same.
CELL_LOOKS = {
    "work": ("paper", "work"),
    "wait": ("ink", "wait"),
    "vain": ("ink", "quiet"),
    "warned": ("ink", "gone"),
}


class Cell(NamedTuple):
    """A cell that is more than a word."""

    text: str  # of several lines perhaps; the first of them is bold then
    look: str = ""  # of CELL_LOOKS
    rows: int = 1  # that it spans
    columns: int = 1
    head: bool = False  # whether it names its row


Rows = Sequence[Sequence[str | Cell]]


class Table(Shown):
    """What a cell displays of rows by name; the subclass says how they read."""

    def __init__(self, rows: dict[str, Any], text: str, tables: Iterable[str], notes: str = ""):
        """`tables`: the HTML of the same; `notes`: lines that stand above either."""
        self.rows = rows
        super().__init__(notes + text, notes + "\n".join(tables))

    def row(self, server: str) -> Any:
        """What was measured of one server, by its name in the table."""
        if server not in self.rows:
            raise KeyError(f"no {server!r} in the table, but {', '.join(self.rows)}")
        return self.rows[server]


def table_text(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest word, two blanks apart, a line below the heads."""
    wide = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [heads, ["-" * width for width in wide], *rows]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, wide, strict=True)).rstrip()
        for line in lines
    )


def table_html(
    title: str, heads: Sequence[str | Cell], rows: Rows, groups: Sequence[Cell] = ()
) -> str:
    """One <table>.  A row is named by its first cell, or by those of its cells that are heads.

    `groups`: names of several columns each, above the heads.
    """
    named_columns = [row for row in (groups, heads) if row]
    lines = ["".join(head_html(cell_of(head), "col") for head in row) for row in named_columns]
    for row in rows:
        cells = [cell_of(word) for word in row]
        named = any(cell.head for cell in cells)
        lines.append(
            "".join(
                head_html(cell, "row")
                if cell.head or (number == 0 and not named)
                else cell_html(cell)
                for number, cell in enumerate(cells)
            )
        )
    # Stripes, as JupyterLab has them, would cut in two what spans several rows.
    spanned = any(cell_of(word).rows > 1 for row in rows for word in row)
    opening = '<tr style="background: none">' if spanned else "<tr>"
    body = "\n".join(f"{opening}{line}</tr>" for line in lines)
    caption = f"<caption {LEFT}><b>{escaped(title)}</b></caption>"
    table = f'<table style="margin: 0 0 1em">{caption}\n{body}\n</table>'
    return f'<div style="overflow-x: auto">{table}</div>'


def marked_cells(
    heads: Sequence[str], rows: Sequence[Sequence[str]], warned: Callable[[str, str], bool]
) -> list[list[str | Cell]]:
    """The same rows; where warned(head, word), the cell looks like a warning."""
    return [
        [
            name,
            *(
                Cell(word, "warned" * warned(head, word))
                for head, word in zip(heads[1:], words, strict=True)
            ),
        ]
        for name, *words in rows
    ]


def cell_of(word: str | Cell) -> Cell:
    return word if isinstance(word, Cell) else Cell(word)


def head_html(cell: Cell, scope: str) -> str:
    """A <th>; one that spans several rows or columns names their group."""
    if not cell.text:
        return "<td></td>"
    if cell.rows > 1 or cell.columns > 1:
        scope += "group"
    return f'<th scope="{scope}"{attributes(cell)}>{within(cell, escaped(cell.text))}</th>'


def cell_html(cell: Cell) -> str:
    first, *others = map(escaped, cell.text.split("\n"))
    if cell.look or others:
        first = f"<b>{first}</b>" if first else ""
    return f"<td{attributes(cell)}>{within(cell, '<br>'.join([first, *others]))}</td>"


def within(cell: Cell, markup: str) -> str:
    """What stands in a cell; axe-core thinks that rows into which it reaches lie over its own."""
    return f"<span>{markup}</span>" if cell.rows > 1 else markup


def attributes(cell: Cell) -> str:
    """How far it reaches, and how it looks."""
    rows = f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
    columns = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
    style = "text-align: left"  # JupyterLab aligns tables to the right
    if cell.look:
        ink, paper = map(light, CELL_LOOKS[cell.look])
        style += f"; color: {ink}; background: {paper}"
    return f'{rows}{columns} style="{style}"'


def legend_text(words: Mapping[str, str]) -> str:
    """What the heads of a table mean, a line each."""
    wide = max(map(len, words))
    return "\n".join(f"{word:{wide}}  {about}" for word, about in words.items())


def legend_html(words: Mapping[str, str]) -> str:
    """The same, as HTML."""
    lines = (f"<b>{escaped(word)}</b>: {escaped(about)}" for word, about in words.items())
    return f"<p {LEFT}>{'<br>'.join(lines)}</p>"
