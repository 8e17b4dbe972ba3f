"""Tables of words, as text and as HTML for light and for dark paper.

The text is what tests compare; the HTML says the same, and can be read without its style too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from echo.lab.show.code import CODE_PALETTE, LEFT, Shown, escaped

Rows = Sequence[Sequence[str]]


class Table(Shown):
    """What a cell displays of rows by name; the subclass says how they read."""

    def __init__(self, rows: dict[str, Any], text: str, tables: Iterable[str], notes: str = ""):
        """`tables`: the HTML of the same; `notes`: lines that stand above either."""
        self.rows = rows
        body = "\n".join(tables)
        super().__init__(
            notes + text, f'{notes}{table_style()}<div class="echo-table">{body}</div>'
        )

    def row(self, server: str) -> Any:
        """What was measured of one server, by its name in the table."""
        if server not in self.rows:
            raise KeyError(f"no {server!r} in the table, but {', '.join(self.rows)}")
        return self.rows[server]


def table_text(heads: Sequence[str], rows: Rows) -> str:
    """Columns as wide as their widest word, two blanks apart, a line below the heads."""
    wide = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [heads, ["-" * width for width in wide], *rows]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, wide, strict=True)).rstrip()
        for line in lines
    )


def table_html(
    title: str, heads: Sequence[str], rows: Rows, warned: Callable[[str, str], bool]
) -> str:
    """One <table>; where warned(head, word), the word stands on other paper, and is bold."""

    def cell(head: str, word: str) -> str:
        if warned(head, word):
            return f'<td class="warned" {LEFT}><b>{escaped(word)}</b></td>'
        return f"<td {LEFT}>{escaped(word)}</td>"

    lines = ["".join(f'<th scope="col" {LEFT}>{escaped(head)}</th>' for head in heads)]
    lines += [
        f'<th scope="row" {LEFT}>{escaped(name)}</th>' + "".join(map(cell, heads[1:], words))
        for name, *words in rows
    ]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption {LEFT}>{escaped(title)}</caption>\n{body}\n</table>"


def legend_text(words: Mapping[str, str]) -> str:
    """What the heads of a table mean, a line each."""
    wide = max(map(len, words))
    return "\n".join(f"{word:{wide}}  {about}" for word, about in words.items())


def legend_html(words: Mapping[str, str]) -> str:
    """The same, as HTML."""
    lines = (f"<b>{escaped(word)}</b>: {escaped(about)}" for word, about in words.items())
    return f"<p {LEFT}>{'<br>'.join(lines)}</p>"


def table_style() -> str:
    """Light paper, and dark where JupyterLab's theme is dark."""
    light, dark = (
        " ".join(
            f"--echo-{name}: {CODE_PALETTE[name][which]};" for name in ("paper", "gone", "ink")
        )
        for which in (0, 1)
    )
    return TABLE_STYLE.replace("LIGHT", light).replace("DARK", dark)


# !important: JupyterLab aligns tables to the right and stripes their rows.
TABLE_STYLE = """<style>
.echo-table { LIGHT }
[data-jp-theme-light="false"] .echo-table { DARK }
.echo-table { overflow-x: auto; }
.echo-table table { background: var(--echo-paper) !important; border-collapse: collapse;
  margin: 0 0 1em !important; }
.echo-table tr { background: none !important; }
.echo-table :is(caption, th, td) { color: var(--echo-ink) !important;
  font: 13px/1.5 sans-serif !important; text-align: left !important; }
.echo-table :is(th, td) { padding: .2em .8em !important; max-width: none; border: 0; }
.echo-table :is(caption, th) { font-weight: bold !important; }
.echo-table caption { background: var(--echo-paper); padding: .4em .8em; caption-side: top; }
.echo-table .warned { background: var(--echo-gone) !important; }
</style>"""
