"""The site: README, the lessons as they are stored, and docs/*.md as static pages.

    make site    # builds it into build/site and checks it

The whole checkout is Sphinx's source folder, so that a link between two files leads on the site
where it leads in the checkout, and no lesson is copied.  This file adds what only a site has: a
list of the pages, and a first page of the name that servers look for.
"""

import re
import shutil
from pathlib import Path

from sphinx.builders.html import StandaloneHTMLBuilder

ROOT = Path(__file__).parent.parent

project = "echo-lessons"
html_title = "echo-lessons"
html_short_title = "echo-lessons"
copyright = "the echo-lessons authors; code MIT, lessons CC BY 4.0"  # noqa: A001 (Sphinx's name)

root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "notebooks/*.ipynb", "docs/*.md"]
# Nothing to be found there; and what need not be walked through.
exclude_patterns = [".*", "**/.*", "build", "echo", "learning", "tests", "tools"]

extensions = ["myst_nb"]
nb_execution_mode = "off"  # what is stored is what is shown
nb_ipywidgets_js = {}  # no lesson stores a widget, and these come from another host
myst_heading_anchors = 4  # as GitHub makes them

html_theme = "furo"
html_theme_options = {"navigation_with_keys": False}  # arrows scroll a wide output
html_static_path = ["_static"]
html_css_files = ["lessons.css"]
html_js_files = ["search_marks.js"]
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
```
"""


class Site(StandaloneHTMLBuilder):
    """Sphinx's own pages, but README is index.html."""

    name = "html"  # under another, it would be given the plain text of outputs only

    def get_output_path(self, page_name):
        return super().get_output_path("index" if page_name == root_doc else page_name)

    def get_target_uri(self, docname, typ=None):
        return super().get_target_uri("index" if docname == root_doc else docname, typ)


def add_what_only_a_site_has(app, docname, source):
    """To README.  The search makes its links from the names of files, so it must not find it."""
    if docname == root_doc:
        source[0] = "---\nnosearch: true\n---\n" + source[0] + PAGES


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
    app.connect("build-finished", copy_pictures)
