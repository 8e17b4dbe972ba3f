"""Show code in a notebook: `source` shows one piece, `diff` what differs between two.

What a lesson shows is read from the file that runs, never pasted into a cell.

What can be shown: a module, a function, a class, and whatever has an attribute `__source__`, a
str with its text (and perhaps a `__name__`): a server that was generated has no file to read.

Every output has a twin in plain text, for a terminal, for paper, for a screen reader, and for
the test that compares: of `source` the text itself, of `diff` a unified diff.  The HTML can be
read without its style too, as GitHub and a notebook that is not trusted show it: numbers and
the marks + and - are text, and colour only adds to them.
"""

import difflib
import html
import inspect
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

CONTEXT = 3  # lines shown above and below a change
DEEPEST = 16  # columns: what is indented further goes on no further to the right

# Name of a colour -> its value on light and on dark paper.  Every ink has a contrast of at
# least 4.5 : 1 (WCAG 2, level AA) on every paper on which it stands; a test computes it.
CODE_PALETTE = {
    "paper": ("#fbfbf8", "#1b1d20"),
    "gone": ("#ffdfda", "#54231f"),
    "new": ("#d3f2d8", "#173f24"),
    "ink": ("#1f2328", "#e3e5e8"),
    "faint": ("#5d636b", "#a9b0b8"),
    "keyword": ("#7a2a8c", "#d9a2ea"),
    "string": ("#22662e", "#9fd3a4"),
    "comment": ("#5d636b", "#a9b0b8"),
    "number": ("#8a4200", "#f0b27a"),
    "name": ("#1b4f9c", "#8fbcf5"),
}
PAPERS = ("paper", "gone", "new")
CODE_ON_PAPER = ("keyword", "string", "comment", "number", "name")


class Piece(NamedTuple):
    """A piece of code: what it is called, its text, and the number of its first line."""

    name: str
    text: str
    first: int = 1


class Region(NamedTuple):
    """Lines of the old text beside lines of the new: [i:j] and [k:m], from 0 on."""

    same: bool
    i: int
    j: int
    k: int
    m: int


class Shown:
    """What a cell displays: HTML where there is a browser, the same as text elsewhere."""

    def __init__(self, text: str, markup: str):
        self.text, self.markup = text, markup

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.markup

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.markup, "text/plain": self.text}


def source(shown: Any) -> Shown:
    """The code of a module, function or class, with the line numbers of its file.

    Raises TypeError for what has no source, such as a number or a function written in C.
    """
    one = piece(shown)
    return Shown(one.text, source_html(one))


def diff(old: Any, new: Any, whole: bool = False) -> Shown:
    """Two pieces of code side by side: what differs, with three lines around it.

    `whole` shows every line.  Where there is no room for two columns, new lines stand below
    old ones.  Raises TypeError for what has no source.
    """
    before, after = piece(old), piece(new)
    return Shown(diff_text(before, after, whole), diff_html(before, after, whole))


def piece(shown: Any) -> Piece:
    """Find the code of `shown`; see the head of this file for what that may be."""
    text = getattr(shown, "__source__", None)
    if isinstance(text, str):
        return Piece(getattr(shown, "__name__", type(shown).__name__), text)
    try:
        lines, first = inspect.getsourcelines(shown)
        if inspect.ismodule(shown):
            return Piece(Path(inspect.getfile(shown)).name, "".join(lines))
    except (OSError, TypeError):
        raise TypeError(
            f"there is no source to show of {shown!r}; "
            "a module, a function or a class written in Python has one"
        ) from None
    return Piece(shown.__qualname__, "".join(lines), first)


def diff_text(old: Piece, new: Piece, whole: bool = False) -> str:
    """A unified diff, as `diff -u` writes it; one sentence where nothing differs."""
    was, now = lines_of(old.text), lines_of(new.text)
    if was == now:
        return f"{old.name} and {new.name} do not differ"
    context = max(len(was), len(now)) if whole else CONTEXT
    lines = difflib.unified_diff(was, now, old.name, new.name, n=context, lineterm="")
    return "\n".join(lines)


def source_html(one: Piece) -> str:
    """One block of lines, each with its number."""
    lines = coloured(one.text)
    wide = len(str(one.first + len(lines) - 1))
    body = "".join(
        line_html(f"{number:{wide}} ", line) for number, line in enumerate(lines, one.first)
    )
    return f'{code_style()}<pre class="echo-source" {LEFT}>{body}</pre>'


def diff_html(old: Piece, new: Piece, whole: bool = False) -> str:
    """A table of two columns; a row is a run of lines that are the same, or that differ."""
    was, now = lines_of(old.text), lines_of(new.text)
    if was == now:
        return f"<p>{escaped(diff_text(old, new))}</p>"
    wide = len(str(max(old.first + len(was), new.first + len(now)) - 1))

    def cell(kind: str, mark: str, first: int, lines: Iterable[str]) -> str:
        body = "".join(
            line_html(f"{number:{wide}} {mark} ", line) for number, line in enumerate(lines, first)
        )
        return f'<td class="{kind}" {TOP}><pre {LEFT}>{body}</pre></td>'

    names = f"- {old.name}", f"+ {new.name}"
    heads = "".join(f"<th {LEFT}>{escaped(name)}</th>" for name in names)
    rows = [f"<tr>{heads}</tr>"]
    for number, group in enumerate(groups(was, now, whole)):
        if number:
            rows.append(f'<tr><td class="cut" colspan="2" {LEFT}>...</td></tr>')
        for same, i, j, k, m in group:
            left, right = was[i:j], now[k:m]
            if same:
                left, right = [*map(escaped, left)], [*map(escaped, right)]
            else:
                left, right = emphasised(left, right)
            rows.append(
                "<tr>"
                + cell("same" if same else "gone", " " if same else "-", old.first + i, left)
                + cell("same" if same else "new", " " if same else "+", new.first + k, right)
                + "</tr>"
            )
    title = html.escape(f"{old.name} beside {new.name}")
    table = f'<table aria-label="{title}" {FULL}>' + "\n".join(rows) + "</table>"
    return f'{code_style()}<div class="echo-diff">{table}</div>'


def groups(was: list[str], now: list[str], whole: bool) -> Iterator[list[Region]]:
    """Regions from first line to last; a new list begins where lines are left out."""
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    parts = [matcher.get_opcodes()] if whole else matcher.get_grouped_opcodes(CONTEXT)
    for part in parts:
        yield [Region(tag == "equal", *numbers) for tag, *numbers in part]


def emphasised(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    """The lines as HTML; where line stands beside line, the words that differ are bold."""
    if len(left) != len(right):
        return [escaped(line) for line in left], [escaped(line) for line in right]
    pairs = [bold(old, new) for old, new in zip(left, right, strict=True)]
    return [old for old, _ in pairs], [new for _, new in pairs]


def bold(old: str, new: str) -> tuple[str, str]:
    """Two lines as HTML with what differs in <b>; plain where little is the same."""
    before, after = (re.findall(r"\w+|\s+|.", line) for line in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.5:
        return escaped(old), escaped(new)
    halves = ["", ""]
    for tag, i, j, k, m in matcher.get_opcodes():
        for side, words in enumerate((before[i:j], after[k:m])):
            text = "".join(words)
            halves[side] += escaped(text) if tag == "equal" else marked(text, "<b>", "</b>")
    return halves[0], halves[1]


def line_html(margin: str, code: str) -> str:
    """One line.  Its end stands inside, so that a line without style is a line too."""
    indent = min(len(code) - len(code.lstrip(" ")), DEEPEST)
    hang = f' style="--in:{indent}"' if indent else ""
    return f'<span class="line"{hang}><span class="margin">{margin}</span>{code}\n</span>'


def coloured(text: str) -> list[str]:
    """The lines of Python code as HTML, with a class for each kind of word.

    Pygments comes with IPython; without it the code is shown in one colour.
    """
    try:
        from pygments.lexers import PythonLexer
        from pygments.token import Token
    except ImportError:
        return [escaped(line) for line in lines_of(text)]
    kinds = {  # few and broad: finer ones differ between versions of Pygments
        Token.Keyword: "keyword",
        Token.Operator.Word: "keyword",
        Token.String: "string",
        Token.Comment: "comment",
        Token.Number: "number",
        Token.Name.Function: "name",
        Token.Name.Class: "name",
    }

    def kind_of(token: Any) -> str:
        return next((kind for one, kind in kinds.items() if token in one), "")

    lines = [""]
    tokens = (
        (kind_of(token), value) for _, token, value in PythonLexer().get_tokens_unprocessed(text)
    )
    for kind, run in itertools.groupby(tokens, key=lambda pair: pair[0]):
        for number, part in enumerate("".join(value for _, value in run).split("\n")):
            if number:
                lines.append("")
            span = (f'<span class="{kind}">', "</span>") if kind else ("", "")
            lines[-1] += marked(part, *span)
    return lines[: len(lines_of(text))]


def marked(text: str, opening: str, closing: str) -> str:
    """Text as HTML between two tags; the blanks at its ends stay outside."""
    core = text.strip()
    if not core:
        return text
    before, _, after = text.partition(core)
    return f"{before}{opening}{escaped(core)}{closing}{after}"


def lines_of(text: str) -> list[str]:
    """The lines as an editor counts them: other than for splitlines(), a form feed ends none."""
    return text.removesuffix("\n").split("\n")


def escaped(text: str) -> str:
    """Text as the content of an HTML element."""
    return html.escape(text, quote=False)


def code_style() -> str:
    """The style of both outputs: light paper, and dark where JupyterLab's theme is dark."""
    light, dark = (
        " ".join(f"--echo-{name}: {pair[which]};" for name, pair in CODE_PALETTE.items())
        for which in (0, 1)
    )
    words = "\n".join(
        f".echo-source .{name} {{ color: var(--echo-{name}); }}" for name in CODE_ON_PAPER
    )
    return CODE_STYLE.replace("LIGHT", light).replace("DARK", dark).replace("WORDS", words)


# Of a notebook that has not run yet, and so is not trusted, JupyterLab drops the style sheet but
# not the attributes; it would align the columns to the right and break lines within words.
TOP = 'style="vertical-align: top"'
LEFT = 'style="text-align: left; word-break: normal"'
FULL = 'style="table-layout: fixed; width: 100%"'

# !important: JupyterLab aligns tables to the right and stripes their rows.
# A line that is too long goes on below itself, right of where it began.
CODE_STYLE = """<style>
.echo-source, .echo-diff { LIGHT }
[data-jp-theme-light="false"] :is(.echo-source, .echo-diff) { DARK }
.echo-source, .echo-diff pre, .echo-diff th, .echo-diff td { color: var(--echo-ink) !important;
  font: 12px/1.45 monospace !important; text-align: left !important; }
.echo-source, .echo-diff table { background: var(--echo-paper) !important; }
.echo-source { --hang: 5; margin: 0 !important; padding: .5em 0 !important; }
.echo-diff { --hang: 8; container-type: inline-size; }
.echo-diff table { border-collapse: collapse; margin: 0; }
.echo-diff tr { background: none !important; }
.echo-diff :is(th, td) { padding: 0; vertical-align: top; max-width: none; border: 0; }
.echo-diff th, .echo-diff .cut { padding: .4em .5em; }
.echo-diff th { font-weight: bold !important; }
.echo-diff .cut { color: var(--echo-faint) !important; }
.echo-diff pre { background: none !important; margin: 0; padding: 0; border: 0; }
.echo-diff .gone .line { background: var(--echo-gone); }
.echo-diff .new .line { background: var(--echo-new); }
.echo-diff b { text-decoration: underline; }
:is(.echo-source, .echo-diff) .line { display: block; white-space: pre-wrap;
  overflow-wrap: anywhere; padding-right: .5em;
  padding-left: calc((1 + var(--hang) + var(--in, 0)) * 1ch);
  text-indent: calc((0 - var(--hang) - var(--in, 0)) * 1ch); }
:is(.echo-source, .echo-diff) .margin { color: var(--echo-faint); user-select: none; }
WORDS
@container (max-width: 46em) {
  .echo-diff :is(th, td) { display: block; }
  .echo-diff .same + .same { display: none; }
}
</style>"""
