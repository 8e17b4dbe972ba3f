"""The site: README, the lessons as they are stored, and docs/*.md as static pages.

    make site    # builds it into build/site and checks it

The whole checkout is Sphinx's source folder, so that a link between two files leads on the site
where it leads in the checkout, and no lesson is copied.  This file adds what only a site has: a
list of the pages, and a first page of the name that servers look for.
"""

import html
import json
import os
import re
import shutil
from pathlib import Path

from sphinx.builders.html import StandaloneHTMLBuilder

from echo.lab.show import series

ROOT = Path(__file__).parent.parent
REPOSITORY = os.environ.get("GITHUB_REPOSITORY", "")  # OWNER/NAME: set where GitHub builds this

project = "echo-lessons"
html_title = "echo-lessons"
html_short_title = "echo-lessons"
copyright = "the echo-lessons authors; code MIT, lessons CC BY 4.0"  # noqa: A001 (Sphinx's name)

root_doc = "README"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "notebooks/*.ipynb",
    "docs/*.md",
]
# Nothing to be found there; and what need not be walked through.
exclude_patterns = [".*", "**/.*", "build", "echo", "learning", "tests", "tools"]

extensions = ["myst_nb", "sphinx_copybutton"]
copybutton_selector = "div.cell_input pre, div.highlight-default pre, div.highlight-none pre"
nb_execution_mode = "off"  # what is stored is what is shown
nb_ipywidgets_js = {}  # no lesson stores a widget, and these come from another host
myst_heading_anchors = 4  # as GitHub makes them

html_theme = "furo"
html_theme_options = {"navigation_with_keys": False}  # arrows scroll a wide output
html_static_path = ["_static"]
html_css_files = ["lessons.css"]
html_js_files = ["search_marks.js", "theme.js", "print.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_permalinks_icon = "#"
highlight_language = "none"  # a listing that names no language is not coloured as Python
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"

PAGES = """
```{toctree}
:hidden:
:caption: Lessons
:glob:
notebooks/*
```

```{toctree}
:hidden:
:caption: Around them
:glob:
docs/*
CONTRIBUTING
CHANGELOG
```
"""


class Site(StandaloneHTMLBuilder):
    """Sphinx's own pages, but README is index.html."""

    name = "html"  # under another, it would be given the plain text of outputs only

    def get_output_path(self, page_name):
        return super().get_output_path("index" if page_name == root_doc else page_name)

    def get_target_uri(self, docname, typ=None):
        return super().get_target_uri("index" if docname == root_doc else docname, typ)


LANDING = """
<p class="lead">An echo server sends back what it receives. These lessons run real ones and ask the
kernel what they are doing: which system calls they made, where their thread sleeps, which bytes are
still unread. You guess first, then the machine answers.</p>
<p><a class="start" href="notebooks/00_start_here.html">Start with lesson 00</a></p>
<figure class="landing">
FIGURE
<figcaption>Each column is one system call of the server. The hatched calls wait for a client.
Client 2 connected and sent its bytes long before, but the server accepts it (column 6) only after
client 1 has left (columns 4 and 5).</figcaption>
</figure>

"""
LANDING_FIGURE = ("00_start_here", "first-leaves")  # drawn by this cell

# What is true only where cells can be run -> what the page says.  A text that no lesson has any
# more ends the build: look for what has become of it.
ONLY_IN_JUPYTERLAB = {
    "Click on the gray cell below, hold Shift and press Enter. That runs the cell and moves on to "
    "the next one.": "This page shows what each cell printed when it ran. To run them yourself, "
    "download the lesson, or start it in your browser where a link above offers that.",
    "Shift+Enter runs a cell. If a cell hangs, press the stop button ■ and run its section again "
    "from the heading.": "This page shows what each cell printed when it ran.",
    "press the stop button ■ above the notebook": "press JupyterLab's stop button ■",
    "the + above the notebook makes one": "in JupyterLab, its + makes one",
    "Outside JupyterLab you see only text.": "On this page you see only their text.",
}
found = set()  # of these, by all lessons


def add_what_only_a_site_has(app, docname, source):
    """To README a beginning; to a lesson its links; and what README lists only here.

    The search makes its links from the names of files, so it must not find README.
    """
    text = source[0]
    if docname == root_doc:
        title, _, rest = text.partition("\n")
        start = LANDING.replace("FIGURE", figure_of(*LANDING_FIGURE))
        text = f"---\nnosearch: true\n---\n{title}\n{start}{rest}{PAGES}"
    elif docname.startswith("notebooks/"):
        text = lesson_page(text, docname.removeprefix("notebooks/"))
    source[0] = text


def figure_of(lesson, cell_id):
    """The figure that a cell has drawn, as the lesson stores it."""
    notebook = json.loads((ROOT / f"notebooks/{lesson}.ipynb").read_text(encoding="utf-8"))
    (cell,) = [cell for cell in notebook["cells"] if cell["id"] == cell_id]
    return "".join(cell["outputs"][-1]["data"]["text/html"]).strip().replace("\n\n", "\n")


def lesson_page(text, name):
    """A lesson with a way to have it, a number at each cell, and words that fit a page."""
    notebook = json.loads(text)
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number = (
                f'<span class="cell-number" id="{cell["id"]}">[{cell["execution_count"]}]</span>'
            )
            cells.append(new_text(f"number-{cell['id']}", number))
        else:
            words = "".join(cell["source"])
            for old, new in ONLY_IN_JUPYTERLAB.items():
                if old in words:
                    found.add(old)
                    words = words.replace(old, new)
            cell["source"] = words
        cells.append(cell)
        if len(cells) == 1:
            cells.append(new_text("links", ways_to(name)))
    notebook["cells"] = cells
    return json.dumps(notebook)


def new_text(cell_id, text):
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": text}


def ways_to(name):
    """Links to the notebook itself, and to a machine that runs it where one is known."""
    links = [f'<a href="{name}.ipynb" download>Download this lesson</a>']
    if REPOSITORY:
        where = f"{REPOSITORY}/HEAD?urlpath=lab/tree/learning/{name}.ipynb"
        links.append(f'<a href="https://mybinder.org/v2/gh/{where}">Run it on Binder</a>')
    return f'<p class="ways">{" ".join(links)}</p>'


def describe(app, page, template, context, doctree):
    """What a search engine shows below the title: a lesson's puzzle, or how a page begins."""
    puzzles = {f"notebooks/{one.name}": one.puzzle for one in series.LESSONS}
    text = (
        puzzles.get(page)
        or next((one.astext() for one in doctree.findall() if one.tagname == "paragraph"), "")
        if doctree
        else ""
    )
    if text:
        words = html.escape(" ".join(text.split())[:300])
        context["metatags"] = f'{context["metatags"]}\n<meta name="description" content="{words}">'


def end(app, error):
    """Put beside the pages what they lead to; refuse a text that is to be replaced and is gone."""
    if not error:
        for path in ROOT.glob("notebooks/*.ipynb"):
            shutil.copy(path, app.outdir / "notebooks" / path.name)
        gone = set(ONLY_IN_JUPYTERLAB) - found
        if gone:
            raise ValueError(f"no lesson says any more: {gone}")


def copy_pictures(app, error):
    """Those that README shows by HTML, which Sphinx does not read."""
    if not error:
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        for name in re.findall(r'\bsrc(?:set)?="([\w/.-]+)"', readme):
            (app.outdir / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, app.outdir / name)


def setup(app):
    app.add_builder(Site, override=True)
    app.connect("source-read", add_what_only_a_site_has)
    app.connect("html-page-context", describe)
    app.connect("build-finished", copy_pictures)
    app.connect("build-finished", end)
