"""What is left of a stored lesson where GitHub shows it: every word, if not every picture.

GitHub keeps an allow-list of tags and attributes (html-pipeline, lib/html_pipeline/
sanitization_filter.rb), and of an <img> only what comes from a page: no `data:`, no `style`.
"""

import html
import re

import bleach
import nbformat
import pytest

from echo.lab.display import image
from tests.paths import LESSONS

TAGS = {
    *("a", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl", "dt"),
    *("em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p"),
    *("pre", "s", "samp", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td"),
    *("tfoot", "th", "thead", "tr", "ul", "var"),
}
ATTRIBUTES = {
    "*": ["align", "alt", "colspan", "height", "open", "rowspan", "scope", "title", "width"],
    "a": ["href"],
    "img": ["src", "alt"],
}
STYLE = re.compile(r"(?s)<style.*?</style>")  # with what is in it


def sanitized(markup):
    return bleach.clean(
        STYLE.sub("", markup), tags=TAGS, attributes=ATTRIBUTES, protocols={"https"}, strip=True
    )


def read(markup):
    """What a reader sees, line by line: of a picture that was dropped, its alt text."""
    text = re.sub(r'<img\b[^>]*\balt="([^"]*)"[^>]*>', r"\1\n", markup)
    text = re.sub(r"<br>|</(?:tr|pre|p|caption|summary|div)>", "\n", text)
    text = re.sub(r"</t[dh]>", "\t", text)
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def shown(path):
    """Of each output that is HTML: the cell, the HTML, and its twin in words."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                yield cell.id, data["text/html"], data["text/plain"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_word_is_lost(path):
    """The picture may be; a table, a listing, a diff and a verdict are text anyway."""
    for cell, markup, words in shown(path):
        seen = read(sanitized(markup))
        if "<img" in markup:
            missing = [line for line in words.splitlines() if line not in seen.splitlines()]
        else:
            said = set(re.findall(r"\w+", seen))
            words = re.findall(r"\w+", read(STYLE.sub("", markup)))
            missing = [word for word in words if word not in said]
        assert not missing, f"{cell}: {missing[:5]}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_diff_has_its_signs(path):
    """Its colors are dropped."""
    for cell, markup, words in shown(path):
        if 'class="echo-diff"' in markup:
            seen = read(sanitized(markup))
            for sign in "+-":
                changed = [line for line in words.splitlines()[2:] if line[0] == sign]
                signed = re.findall(rf"(?m)^ *\d* +\d* *{re.escape(sign)} ", seen)
                assert len(signed) == len(changed), cell


def test_a_picture_without_words_would_be_lost():
    """And an inline <svg> was: its letters ran together, its name was gone."""
    svg = '<svg role="img" aria-label="Two calls."><text>accept4</text><text>recvfrom</text></svg>'
    assert read(sanitized(svg)) == "accept4recvfrom"
    lines = read(sanitized(image(svg, "Two calls.", ["1 accept4"]))).split()
    assert " ".join(lines) == "Two calls. In words 1 accept4"
