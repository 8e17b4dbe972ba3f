"""Show code in a notebook: `source` shows one piece, `diff` what differs between two.

What a lesson shows is read from the file that runs, never pasted into a cell.

What can be shown: a module, a function, a class, and whatever has an attribute `__source__`, a
str with its text (and perhaps a `__name__`): a server that was generated has no file to read.

Every output has a twin in plain text, for a terminal, for paper, for a screen reader, and for
the test that compares: of `source` the text itself, of `diff` a unified diff.  The HTML can be
read without its style too, as GitHub and a notebook that is not trusted show it: numbers and
the marks + and - are text, and color only adds to them.
"""

import difflib
import html
import inspect
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from echo.lab.display import PALETTE, Shown, escaped, light

CONTEXT = 3  # lines shown above and below a change
DEEPEST = 16  # columns: what is indented further goes on no further to the right

# Kind of a word -> what JupyterLab calls its color in the editor, and the color elsewhere.
WORDS = {
    "keyword": ("keyword", "keyword"),
    "string": ("string", "string"),
    "number": ("number", "hatch"),
    "name": ("def", "work"),
}


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


def source(shown: Any) -> Shown:
    """The code of a module, function or class, with the line numbers of its file.

    Raises TypeError for what has no source, such as a number or a function written in C.
    """
    one = piece(shown)
    return Shown(one.text, source_html(one))


def diff(old: Any, new: Any, whole: bool = False) -> Shown:
    """Two pieces of code in one: what differs, with three lines around it.

    `whole` shows every line.  New lines stand below old ones; beside them where the page has
    room for two columns.  Raises TypeError for what has no source.
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
    lines = colored(one.text)
    wide = len(str(one.first + len(lines) - 1))
    body = "".join(
        line_html(f"{number:{wide}} ", line) for number, line in enumerate(lines, one.first)
    )
    return f'{code_style()}<pre class="echo-source">{body}</pre>'


def diff_html(old: Piece, new: Piece, whole: bool = False) -> str:
    """Blocks of lines that are the same, gone or new, each line with its number in either file.

    They stand one below the other; the style sheet puts gone and new side by side, where there
    is room for both.
    """
    was, now = lines_of(old.text), lines_of(new.text)
    if was == now:
        return f"<p>{escaped(diff_text(old, new))}</p>"
    wide = len(str(max(old.first + len(was), new.first + len(now)) - 1))
    blank = " " * wide

    def lines(mark: str, before: Iterable[Any], after: Iterable[Any], code: list[str]) -> str:
        margins = map(f"{{:{wide}}} {{:{wide}}} {mark} ".format, before, after)
        return "".join(map(line_html, margins, code))

    def block(kind: str, body: str) -> str:
        return f'<pre class="{kind}" style="{BLOCK_LOOKS[kind]}">{body}</pre>' if body else ""

    names = f"- {old.name}", f"+ {new.name}"
    blocks = [block("names", f"<b>{escaped(chr(10).join(names))}\n</b>")]
    for number, group in enumerate(groups(was, now, whole)):
        if number:
            blocks.append(block("cut", "...\n"))
        for same, i, j, k, m in group:
            before, after = range(old.first + i, old.first + j), range(new.first + k, new.first + m)
            if same:
                blocks.append(block("same", lines(" ", before, after, [*map(escaped, was[i:j])])))
                continue
            left, right = emphasized(was[i:j], now[k:m])
            blocks.append(block("gone", lines("-", before, itertools.repeat(blank), left)))
            blocks.append(block("new", lines("+", itertools.repeat(blank), after, right)))
    title = html.escape(f"{old.name} beside {new.name}")
    body = "\n".join(filter(None, blocks))
    group_of = f'role="group" aria-label="{title}"'
    return f'{code_style()}<div class="echo-diff" {group_of}>{body}</div>'


def groups(was: list[str], now: list[str], whole: bool) -> Iterator[list[Region]]:
    """Regions from first line to last; a new list begins where lines are left out."""
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    parts = [matcher.get_opcodes()] if whole else matcher.get_grouped_opcodes(CONTEXT)
    for part in parts:
        yield [Region(tag == "equal", *numbers) for tag, *numbers in part]


def emphasized(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
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


def colored(text: str) -> list[str]:
    """The lines of Python code as HTML, with a class for each kind of word.

    Pygments comes with IPython; without it the code is shown in one color.
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


def code_style() -> str:
    """The style of both outputs: light paper, and dark where JupyterLab's theme is dark.

    Words have the colors that they have in JupyterLab's editor.  Any other page may choose what
    it likes for --echo-paper and the others, as the site does.
    """
    dark = " ".join(f"--echo-{name}: {PALETTE[name][1]};" for name in THEMED)
    words = "\n".join(
        f".echo-source .{kind} {{ color: var(--jp-mirror-editor-{theirs}-color, "
        f"var(--echo-{ours}, {light(ours)})); }}"
        for kind, (theirs, ours) in WORDS.items()
    )
    style = CODE_STYLE.replace("DARK", dark).replace("WORDS", words)
    return re.sub(r"\$(\w+)", lambda name: f"var(--echo-{name[1]}, {light(name[1])})", style)


# Of a notebook that has not run yet, and so is not trusted, JupyterLab drops the style sheet but
# not the attributes.
BLOCK_LOOKS = dict.fromkeys(("names", "same", "cut"), "margin: 0") | {
    kind: f"margin: 0; color: {light('ink')}; background: {light(kind)}" for kind in ("gone", "new")
}
THEMED = ("paper", "ink", "faint", "gone", "new")

# !important: JupyterLab has styles of its own, and the attributes are for light paper.
# A line that is too long goes on below itself, right of where it began; where there is room for a
# word or two only, the box scrolls instead.
CODE_STYLE = """<style>
[data-jp-theme-light="false"] { DARK --echo-paper: var(--jp-layout-color0); }
[data-jp-theme-light="true"] { --echo-paper: var(--jp-layout-color0); }
.echo-source, .echo-diff pre { color: $ink !important; margin: 0 !important;
  font: 12px/1.45 monospace !important; text-align: left; border: 0; padding: 0; }
.echo-source, .echo-diff, .echo-diff pre { background: $paper !important; }
.echo-source, .echo-diff { padding: .5em 0 !important; min-width: 27rem; }
.echo-source { --hang: 5; }
.echo-diff { --hang: 11; container-type: inline-size; }
.echo-diff :is(.names, .cut) { padding: .4em .5em; }
.echo-diff .cut { color: $faint !important; }
.echo-diff .gone { background: $gone !important; }
.echo-diff .new { background: $new !important; }
.echo-diff :is(.gone, .new) b { text-decoration: underline; }
:is(.echo-source, .echo-diff) .line { display: block; white-space: pre-wrap;
  overflow-wrap: anywhere; padding-right: .5em;
  padding-left: calc((1 + var(--hang) + var(--in, 0)) * 1ch);
  text-indent: calc((0 - var(--hang) - var(--in, 0)) * 1ch); }
:is(.echo-source, .echo-diff) .margin { color: $faint; user-select: none; }
.echo-source .keyword { font-weight: bold; }
.echo-source .comment { color: $faint; font-style: italic; }
WORDS
@container (min-width: 1250px) {
  .echo-diff .gone:has(+ .new) { float: left; width: 50%; clear: both; }
  .echo-diff .gone + .new { margin-left: 50% !important; }
  .echo-diff .new + pre { clear: both; }
}
</style>"""
