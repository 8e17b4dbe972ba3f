"""Is every figure of a lesson seen?  Asked of an open notebook, in JupyterLab as it is by default.

What matters is what is painted, so the pixels are looked at.  JupyterLab renders only the cells
that are near the window, and drops what it does not trust; letters of a drawing that it drops may
be left over as text.
"""

import html
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from PIL import Image
from playwright.sync_api import Page

from tools.browser.lab import PANEL, name_of

SMALLEST = 11  # pixels of a letter
FEW = 10  # colors: what is painted has more, for the edges of letters are soft
SHARE = 0.9  # of the pixels of a hatched box have one color: then it is not hatched

# Tags that part no words.
WITHIN = re.compile(r"</?(?:span|b|i|em|strong|code|a)\b[^>]*>")
STYLE = re.compile(r"(?s)<style.*?</style>")
TAG = re.compile(r"<[^>]*>")


def look(page: Page) -> tuple[int, list[str]]:
    """How many figures there are, and what is wrong with them, cell by cell."""
    number, wrong = 0, []
    for cell in page.evaluate(STORED):
        page.evaluate(SHOW, cell["index"])
        seen = page.evaluate(SEEN, cell["index"])
        number += len(seen["figures"])
        wrong += [f"{name_of(cell)}: {fault}" for fault in faults(page, cell["html"], seen)]
    return number, wrong


def faults(page: Page, markup: str, seen: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the outputs of a cell that is in the window."""
    stored = len(re.findall(r"<(?:img|svg)\b", markup))
    if stored != len(seen["figures"]):
        yield f"{len(seen['figures'])} of {stored} figures are shown"
    if glued := run_together(markup, seen["text"]):
        yield f"words run together: {glued[0]!r}"
    for number in range(len(seen["figures"])):
        figure = page.evaluate(FIGURE, [seen["index"], number])
        if figure["letter"] < SMALLEST - 0.05:
            yield f"letters of {figure['letter']:.1f} pixels in a figure"
        picture = Image.open(io.BytesIO(page.screenshot(clip=figure["clip"]))).convert("RGB")
        if colors(picture) < FEW:
            yield "a figure is not painted"
            continue
        empty = [box for box in figure["hatched"] if is_plain(picture, box)]
        if empty:
            yield f"{len(empty)} of {len(figure['hatched'])} hatched boxes are empty"


def run_together(markup: str, text: str) -> list[str]:
    """Words on the page that are none where the tags of the output part them."""
    parted = TAG.sub(" ", WITHIN.sub("", STYLE.sub("", markup)))
    known = set(html.unescape(parted).split())
    return [word for word in text.split() if word not in known]


def colors(picture: Image.Image) -> int:
    return len(picture.getcolors(picture.width * picture.height) or [])


def is_plain(picture: Image.Image, box: dict[str, float]) -> bool:
    """Whether the upper part of a box has one color; words may lie over the middle."""
    left, top, right = round(box["x"]) + 3, round(box["y"]) + 3, round(box["x"] + box["width"]) - 3
    found = Counter(picture.crop((left, top, right, top + 6)).get_flattened_data())
    return found.most_common(1)[0][1] > SHARE * found.total()


# The code cells whose outputs have HTML: their place, and the HTML as it is stored.
STORED = f"""() => [...{PANEL}.content.model.cells].map((cell, index) => ({{
  index, number: index + 1, id: cell.id, html: cell.type !== 'code' ? '' :
    Array.from({{length: cell.outputs.length}}, (_, i) => cell.outputs.get(i).toJSON())
      .map(output => output.data?.['text/html'] ?? '').map(one => [one].flat().join('')).join('\\n')
  }})).filter(cell => cell.html)"""

# Scrolls a cell into the window, as a reader does, and waits until it is drawn.
SHOW = f"""async index => {{
  await {PANEL}.content.scrollToItem(index, 'center');
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const node = {PANEL}.content.widgets[index].node;
  await Promise.all([...node.querySelectorAll('img')].map(one => one.decode().catch(() => 0)));
}}"""

FIGURES = f"""
  const outputs = [...{PANEL}.content.widgets[index].node.querySelectorAll(
    '.jp-OutputArea-output.jp-RenderedHTMLCommon')];
  const figures = outputs.flatMap(one => [...one.querySelectorAll('img, svg')])
    .filter(one => !one.parentElement.closest('svg'));"""

# What is shown of a cell: its figures, and the words of what its outputs show as HTML.
SEEN = f"""index => {{ {FIGURES}
  for (const one of outputs.flatMap(one => [...one.querySelectorAll('details')])) one.open = true;
  const text = outputs.map(one => one.innerText).join('\\n');
  for (const one of outputs.flatMap(one => [...one.querySelectorAll('details')])) one.open = false;
  return {{index, text, figures: figures.map(one => one.tagName)}};
}}"""

# One figure, brought into the window: where it is on the page; where its hatched boxes are in it;
# how high its smallest letters are.  All in pixels.
FIGURE = f"""async ([index, number]) => {{ {FIGURES}
  const figure = figures[number];
  figure.scrollIntoView({{block: 'center'}});
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const {{x, y, width, height}} = figure.getBoundingClientRect();
  const svg = figure.tagName !== 'IMG' ? figure : new DOMParser().parseFromString(
    new TextDecoder().decode(Uint8Array.from(atob(figure.src.split(',')[1]),
      letter => letter.charCodeAt(0))), 'image/svg+xml').documentElement;
  const scale = width / (svg.getAttribute('viewBox') ?? `0 0 ${{width}} 0`).split(' ')[2];
  const place = box => ['x', 'y', 'width', 'height'].map(name => box.getAttribute(name) * scale);
  const hatched = [...svg.querySelectorAll('rect[fill^="url("]')].map(place)
    .map(([x, y, width, height]) => ({{x, y, width, height}}));
  const sizes = [...svg.outerHTML.matchAll(/font-size[=:] ?"?([0-9.]+)/g)].map(one => one[1]);
  return {{hatched, clip: {{x, y, width, height}},
    letter: sizes.length ? Math.min(...sizes) * scale : {SMALLEST}}};
}}"""
