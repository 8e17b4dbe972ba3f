"""Can everybody use what a lesson adds to JupyterLab?  Asked of an open notebook.

A lesson adds what its author has written and what its cells show: rendered markdown with tables,
links and answers to open, and the outputs with figures, tables and the stepper.  All else on the
page (menus, toolbars, prompts, editors) is JupyterLab's own, and so are the colours of tracebacks,
the anchors beside headings, and the colours that words of code have in a text.
"""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tools.browser.lab import PANEL

TRACEBACK = "[data-mime-type='application/vnd.jupyter.stderr']"
OURS = f".jp-NotebookPanel :is(.jp-RenderedMarkdown, .jp-OutputArea-output:not({TRACEBACK}))"
THEIRS = ".jp-InternalAnchorLink", ".jp-RenderedMarkdown code span[class^='ͼ']"

# JupyterLab underlines a link only where the mouse is, so that one may be told from the text by
# its colour alone.  We answer for the links to which we give a style.
LINKS = {"id": "link-in-text-block", "selector": "a[href][style]"}
# A server's source has hundreds of coloured words, and axe-core takes milliseconds for each.  It
# judges those that look alike (see ALIKE) only once.
WORDS = {"id": "color-contrast", "selector": ":not([data-alike])"}
GRAVE = ("critical", "serious")  # of axe-core's four degrees; among them is contrast

MORE_STOPS = 40  # of Tab within a cell, beyond those that we count: editors, long outputs


def judge(page: Page, only_colours: bool = False) -> tuple[int, list[str]]:
    """The number of figures in an open notebook, and all that is wrong in the theme it wears.

    From one theme to another only colours differ.
    """
    figures = page.evaluate(FIGURES, OURS)
    nameless = [
        f"{figure['cell']}: a figure has no alt text: {figure['html']}"
        for figure in figures
        if not figure["name"]
    ]
    pale = [
        f"{one['cell']}: contrast {one['contrast']:.1f} of {one['text']!r} in a figure: "
        f"{one['ink']} on {one['paper']}"
        for one in page.evaluate(LETTERS, OURS)
        if one["contrast"] < 4.5
    ]
    return len(figures), [*by_axe(page, only_colours), *nameless, *pale]


def by_axe(page: Page, only_colours: bool = False) -> list[str]:
    """What axe-core finds serious, and what would be if it could tell.

    It can never tell the contrast of letters in a figure; LETTERS does.
    """
    if not page.locator(OURS).count():
        return []  # axe-core refuses to judge nothing
    page.evaluate(Axe().axe_script)
    page.evaluate("rules => axe.configure({rules})", [LINKS, WORDS])
    page.evaluate(ALIKE, OURS)
    context = {"include": [[OURS]], "exclude": [[one] for one in (*THEIRS, f"{OURS} svg text")]}
    options: dict[str, Any] = {"resultTypes": ["violations", "incomplete"]}
    if only_colours:
        options["runOnly"] = [WORDS["id"], LINKS["id"]]
    found = page.evaluate(AXE, [context, options])
    return [
        f"{one['place']}: {one['rule']} ({one['impact']}): {said(one)} {shortened(one['html'])}"
        for one in found
        if one["impact"] in GRAVE
    ]


def said(found: dict[str, Any]) -> str:
    """What axe-core says of an element, without its introduction."""
    return "; ".join(dict.fromkeys(found["messages"]))


def shortened(markup: str) -> str:
    """An element in one line, enough to find it by."""
    line = " ".join(markup.split())
    return line if len(line) <= 100 else f"{line[:97]}..."


def keyboard(page: Page) -> tuple[int, list[str]]:
    """Go with Tab through each cell that holds something to press; open what can be opened.

    How many places there are, and what is wrong: Tab does not come there, or Enter does not
    open it.  A cell is chosen by the arrow keys, as JupyterLab does it, and so by its command.
    """
    wrong = []
    cells = page.evaluate(MARK, [OURS, ", ".join(THEIRS)])
    for cell in cells:
        page.evaluate(ACTIVATE, cell["index"])
        waiting = dict(enumerate(cell["names"]))
        for _ in range(len(waiting) + MORE_STOPS):
            if not waiting:
                break
            page.keyboard.press("Tab")
            place = page.evaluate(FOCUSED)
            name = waiting.pop(place["number"], None) if place["index"] == cell["index"] else None
            if name is not None and place["closed"]:
                page.keyboard.press("Enter")
                if page.evaluate(FOCUSED)["closed"]:
                    wrong.append(f"{cell['place']}: Enter does not open {name!r}")
        wrong += [f"{cell['place']}: Tab does not come to {name!r}" for name in waiting.values()]
    return sum(len(cell["names"]) for cell in cells), wrong


# A cell as tools.execute names it, from any element in it.
PLACE = f"""
  const cells = {PANEL}.content.widgets;
  const index = element => cells.findIndex(cell => cell.node.contains(element));
  const place = element => {{
    const number = index(element);
    return `cell ${{number + 1}} (id ${{cells[number]?.model.id}})`;
  }};"""

# Marks words that look as others before them in the same output or text: they have the same colours
# and letters, and what is around them, up to the whole, has the same as what is around those.
ALIKE = """ours => {
  const styles = ['color', 'backgroundColor', 'backgroundImage', 'fontSize', 'fontWeight',
    'opacity', 'filter', 'textShadow'];
  for (const whole of document.querySelectorAll(ours)) {
    const looks = new Map(), seen = new Set();
    for (const one of [whole, ...whole.querySelectorAll(':not(svg, svg *)')]) {
      if (!one.checkVisibility()) continue;
      const style = getComputedStyle(one);
      const look = [looks.get(one.parentElement), one.tagName, one.matches(':disabled'),
        ...styles.map(name => style[name])].join();
      looks.set(one, look);
      if (![...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
      one.toggleAttribute('data-alike', seen.has(look));
      seen.add(look);
    }
  }
}"""

# What axe-core says, of a notebook that flows like any page.  JupyterLab's body has no height, and
# hides what is outside it: all that is seen is positioned.  axe-core would conclude that nothing
# is seen, and of what the notebook's window has scrolled away, that something lies over it.
AXE = f"""async ([context, options]) => {{ {PLACE}
  const around = [];
  const list = document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-viewport');
  for (let one = list; one; one = one.parentElement) around.push(one);
  const style = document.createElement('style');
  style.textContent = `
    [data-flows] {{ position: static !important; display: block !important;
      width: auto !important; height: auto !important; min-height: 0 !important;
      overflow: visible !important; contain: none !important; transform: none !important; }}
    :has(> [data-flows]) > :not([data-flows]), .jp-CodeCell > .jp-Cell-inputWrapper {{
      display: none !important; }}`;
  document.head.append(style);
  for (const one of around) one.dataset.flows = '';
  try {{
    const {{violations, incomplete}} = await axe.run(context, {{...options, elementRef: true}});
    return [...violations, ...incomplete].flatMap(rule => rule.nodes.map(node => ({{
      rule: rule.id, impact: rule.impact, place: place(node.element), html: node.html,
      messages: [...node.any, ...node.all, ...node.none].map(check => check.message)}})));
  }} finally {{
    for (const one of around) delete one.dataset.flows;
    style.remove();
  }}
}}"""

# Each outermost figure: where it is, what a screen reader is told, and how it begins.
FIGURES = f"""ours => {{ {PLACE}
  const all = [...document.querySelectorAll(`${{ours}} :is(svg, img, canvas)`)];
  return all.filter(one => !one.parentElement.closest('svg')).map(one => ({{
    cell: place(one),
    name: one.tagName === 'IMG' ? one.alt.trim() : one.getAttribute('role') === 'img'
      ? (one.getAttribute('aria-label') || '').trim() : '',
    html: one.outerHTML.slice(0, 80)}}));
}}"""

# Letters in figures, with their colour, that of the last shape below them, and the contrast by
# WCAG 2.  A hatched shape has the colour of its pattern's ground.
LETTERS = f"""ours => {{ {PLACE}
  const rgb = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const luminance = colour => {{
    const [r, g, b] = rgb(colour).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }};
  const ground = shape => {{
    const fill = getComputedStyle(shape).fill;
    const pattern = fill.startsWith('url') && document.querySelector(fill.slice(5, -2));
    return pattern ? getComputedStyle(pattern.querySelector('rect, path')).fill : fill;
  }};
  const covers = (shape, x, y) => {{
    const point = new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse());
    return shape.isPointInFill(point);
  }};
  const page = element => {{
    for (; element; element = element.parentElement) {{
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }}
    return 'rgb(255, 255, 255)';
  }};
  const letters = [];
  for (const figure of document.querySelectorAll(`${{ours}} svg`)) {{
    const drawn = [...figure.querySelectorAll('path, rect, circle, ellipse, polygon, text')]
      .filter(one => !one.closest('defs, pattern, clipPath'));
    drawn.forEach((text, order) => {{
      if (text.tagName !== 'text' || !text.textContent.trim()) return;
      const box = text.getBoundingClientRect();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      const below = drawn.slice(0, order).reverse().find(shape => shape.tagName !== 'text'
        && getComputedStyle(shape).fill !== 'none' && covers(shape, x, y));
      const ink = getComputedStyle(text).fill;
      const paper = below ? ground(below) : page(figure);
      const [low, high] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
      letters.push({{cell: place(text), text: text.textContent.trim(), ink, paper,
        contrast: (high + 0.05) / (low + 0.05)}});
    }});
  }}
  return letters;
}}"""

# What can be pressed in each cell, numbered within it; what lies in a closed answer as well.
MARK = f"""([ours, theirs]) => {{ {PLACE}
  const found = new Map();
  const all = `:is(summary, a[href], button, input, select, textarea, [tabindex="0"])`;
  for (const one of document.querySelectorAll(`${{ours}} ${{all}}`)) {{
    if (one.disabled || one.closest(theirs) || getComputedStyle(one).display === 'none') continue;
    const at = index(one);
    if (!found.has(at)) found.set(at, {{index: at, place: place(one), names: []}});
    one.dataset.stop = found.get(at).names.length;
    found.get(at).names.push((one.innerText || one.title || one.tagName).trim());
  }}
  return [...found.values()];
}}"""

FOCUSED = f"""() => {{ {PLACE}
  const one = document.activeElement;
  return {{index: index(one), number: one?.dataset?.stop ? Number(one.dataset.stop) : null,
    closed: one?.tagName === 'SUMMARY' && !one.parentElement.open}};
}}"""

ACTIVATE = f"""index => {{
  {PANEL}.content.mode = 'command';
  {PANEL}.content.activeCellIndex = index;
  {PANEL}.content.deselectAll();
  {PANEL}.content.widgets[index].node.focus();
}}"""
