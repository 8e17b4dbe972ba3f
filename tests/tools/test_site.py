"""The site: every page shows what the lesson stores, leads where it says, and fits its window.

    make site    # builds it, and runs this; make test, which has not installed Sphinx, skips it

Links within the site are followed, to the anchor; of links that leave it only the form is
looked at, for nothing here asks another host.
"""

import contextlib
import functools
import html
import http.server
import json
import os
import re
import shutil
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from echo.lab.show import series
from tests.paths import LESSONS, ROOT

DOCS = sorted(ROOT.glob("docs/*.md"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}

# What sticks out of the window to the right and is in no box that scrolls; each once.
STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push('the page itself');
  const scrolls = one => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX);
  for (const one of document.querySelectorAll('article *')) {
    const box = one.getBoundingClientRect();
    if (box.width === 0 || box.right <= width + 1) continue;
    let above = one;
    while (above && !scrolls(above)) above = above.parentElement;
    if (!above || above.getBoundingClientRect().right > width + 1)
      found.push(`<${one.tagName.toLowerCase()} class="${one.getAttribute('class') || ''}">`);
  }
  return [...new Set(found)];
}"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"
MARKED = "article span.highlighted"  # what Sphinx's script makes of a searched word
DRAWINGS = """() => [...document.querySelectorAll('svg')].map(one => one.textContent + ' ' +
                    one.querySelectorAll('*').length)"""
COLOURS = """() => [getComputedStyle(document.body).backgroundColor,
                    getComputedStyle(document.body).color]"""


class Page(HTMLParser):
    """What a page refers to, what can be referred to in it, its pictures and its text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.resources, self.anchors, self.images = [], [], set(), []
        self.words = []
        self._hidden = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self._hidden += tag in ("script", "style")
        self.anchors.update(filter(None, (values.get("id"), values.get("name"))))
        if tag in ("a", "area") and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and "stylesheet" in values.get("rel", ""):
            self.resources.append(values["href"])
        elif values.get("src"):
            self.resources.append(values["src"])
        self.resources += [
            part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()
        ]
        if tag == "img":
            self.images.append(values)

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._hidden:
            self.words.append(data)

    @property
    def text(self):
        """Without blanks, which a page may set as it likes."""
        return re.sub(r"\s+", "", "".join(self.words))


@functools.cache
def page_of(path):
    return Page(path)


def wrong_references(folder):
    """Each reference of a page in `folder` that leads nowhere, with its page."""
    wrong = []
    for path in sorted(folder.rglob("*.html")):
        page = page_of(path)
        here = "http://site/" + path.relative_to(folder).as_posix()
        for to in page.links + page.resources:
            if re.match(r"data:image/svg\+xml;base64,\w", to):  # a figure, in the page itself
                continue
            url = urlsplit(urljoin(here, to))
            if url.netloc != "site":
                # A link may leave the site; what the page is made of may not lie elsewhere.
                fits = url.scheme == "mailto" or re.fullmatch(r"[\w-]+(\.[\w-]+)+", url.netloc)
                if to in page.resources or not fits or re.search(r"[\s<>]", to):
                    wrong.append((path.name, to))
                continue
            there = folder / unquote(url.path).lstrip("/")
            there = there / "index.html" if there.is_dir() else there
            anchor = unquote(url.fragment)
            if not there.is_file() or (
                anchor and there.suffix == ".html" and anchor not in page_of(there).anchors
            ):
                wrong.append((path.name, to))
    return wrong


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a web server on this machine that has `folder`."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Visitor:
    """A browser window that notes what goes wrong in it."""

    def __init__(self, browser, home, size, scheme):
        width, height = size
        self.home, self.wrong = home, []
        self.page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.page.route(lambda url: not url.startswith((home, "data:")), self._refuse)
        self.page.on("requestfailed", self._failed)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("response", self._look_at)

    def _failed(self, request):
        """An icon that is still on its way when the next page is opened is given up."""
        if not (request.url.endswith("/favicon.svg") and request.failure == "net::ERR_ABORTED"):
            self.wrong.append(f"failed: {request.url}")

    def _refuse(self, route):
        self.wrong.append(f"another host: {route.request.url}")
        route.abort()

    def _look_at(self, response):
        if response.status >= 400:
            self.wrong.append(f"{response.status}: {response.url}")

    def visit(self, path):
        """What is wrong with the page at `path`, as it opens and with every answer open."""
        self.wrong.clear()
        self.page.goto(self.home + path, wait_until="networkidle")
        found = [f"sticks out: {one}" for one in self.page.evaluate(STICKS_OUT)]
        self.page.evaluate(OPEN_ALL)
        found += [f"sticks out when open: {one}" for one in self.page.evaluate(STICKS_OUT)]
        return [f"{path}: {one}" for one in dict.fromkeys(self.wrong + found)]


@pytest.fixture(scope="module")
def site(request):
    return Path(request.config.getoption("--site")).resolve()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        lacks = "no chromium here: apt-get install chromium"
        pytest.fail(lacks) if "CI" in os.environ else pytest.skip(lacks)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield one
        one.close()


def cells_of(notebook):
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def outputs_of(notebook):
    """(text/html or None, text) of each output that a notebook stores."""
    for cell in cells_of(notebook):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = output.get("text") or data.get("text/plain") or output.get("evalue")
            yield "".join(data.get("text/html", "")) or None, "".join(text)


def test_there_is_a_page_for_everything(site):
    pages = [Path("index.html"), Path("search.html"), Path("CONTRIBUTING.html")]
    pages += [path.relative_to(ROOT).with_suffix(".html") for path in LESSONS + DOCS]
    assert not [page for page in pages if not (site / page).is_file()]


def test_every_page_is_in_the_list_of_each(site):
    """The one at the side: what is not there is found by nobody."""
    names = {f"{path.stem}.html" for path in LESSONS + DOCS}
    for path in site.rglob("*.html"):
        if "_static" not in path.parts:
            listed = {urlsplit(link).path.rpartition("/")[2] for link in page_of(path).links}
            listed.add(path.name)  # itself is listed as "#"
            assert names <= listed, path


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_shows_what_it_stores(site, path):
    """Without a kernel: text as it is, and where there is a drawing or a table, that."""
    page = site / "notebooks" / f"{path.stem}.html"
    markup, text = page.read_text(encoding="utf-8"), page_of(page).text
    for drawn, plain in outputs_of(path):
        if drawn is None:
            assert re.sub(r"\s+", "", plain) in text
        else:
            assert drawn.strip() in markup


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_can_be_had_and_its_cells_found(site, path):
    """The notebook lies beside its page; a link may lead to a cell, which shows its number."""
    page = page_of(site / "notebooks" / f"{path.stem}.html")
    assert path.name in page.links
    assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
    ids = {cell["id"] for cell in cells_of(path) if cell["cell_type"] == "code"}
    assert ids <= page.anchors


def test_it_runs_elsewhere_where_it_is_known_where(site):
    """GitHub says of which repository it builds the pages; anywhere else nobody knows."""
    links = page_of(site / "notebooks" / f"{LESSONS[0].stem}.html").links
    binder = [link for link in links if "mybinder.org" in link]
    repository = os.environ.get("GITHUB_REPOSITORY")
    assert [repository in link for link in binder] == ([True] if repository else [])


def test_the_first_page_shows_what_this_is_and_where_to_start(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    beginning = text[: text.index("What you will understand</")].rpartition("<article")[2]
    assert "notebooks/00_start_here.html" in re.findall(r'class="start" href="(.*?)"', beginning)
    assert re.search(r"<figure.*(<svg|<img)", beginning, re.DOTALL)


def test_every_page_has_an_icon_and_a_lesson_its_puzzle_as_description(site):
    for path in LESSONS:
        text = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert re.search(r'rel="(shortcut )?icon"', text)
        (described,) = re.findall(r'<meta name="description" content="(.*?)"', text)
        puzzle = next(one.puzzle for one in series.LESSONS if one.name == path.stem)
        assert html.unescape(described) == puzzle
        title = re.search(r"<title>(.*?)</title>", text)[1]
        assert path.stem.partition("_")[2].split("_")[0] in title.lower().replace("/", "")


def test_no_page_speaks_of_what_only_jupyterlab_shows(site):
    for path in LESSONS:
        text = " ".join(page_of(site / "notebooks" / f"{path.stem}.html").words)
        assert not re.search(
            r"gr[ae]y cell|above the notebook|Outside JupyterLab|Shift\+Enter", text
        ), path


def test_links_lead_somewhere(site):
    assert not wrong_references(site)


def test_every_image_is_described(site):
    for path in site.rglob("*.html"):
        assert not [image for image in page_of(path).images if not image.get("alt")], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_pages_fit_and_ask_no_other_host(site, browser, window, scheme):
    with served(site) as home:
        visitor = Visitor(browser, home, WINDOWS[window], scheme)
        wrong = []
        for path in sorted(site.rglob("*.html")):
            wrong += visitor.visit(path.relative_to(site).as_posix())
        background, ink = [
            sum(map(int, re.findall(r"\d+", colour)[:3]))
            for colour in visitor.page.evaluate(COLOURS)
        ]
        visitor.page.close()
    assert not wrong
    assert (background > ink) == (scheme == "light")


LISTING = """() => {
  const colour = (one, which) => getComputedStyle(one)[which].match(/[0-9]+/g).slice(0, 3);
  const one = document.querySelector('.echo-source'), words = {};
  for (const kind of ['keyword', 'string', 'number', 'name', 'comment'])
    words[kind] = colour(one.querySelector('.' + kind), 'color');
  return [colour(one, 'backgroundColor'), words];
}"""


def luminance(colour):
    """Relative luminance as WCAG 2.1 defines it."""
    parts = [int(part) / 255 for part in colour]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_listings_wear_the_theme(site, browser, scheme):
    """Of a dark page they would be the one white part, or their words could not be read."""
    with served(site) as home:
        visitor = Visitor(browser, home, WINDOWS["desktop"], scheme)
        visitor.page.goto(f"{home}notebooks/03_select.html")
        paper, words = visitor.page.evaluate(LISTING)
        visitor.page.close()
    assert (luminance(paper) > 0.5) == (scheme == "light"), paper
    for kind, colour in words.items():
        dark, bright = sorted([luminance(paper), luminance(colour)])
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (kind, colour)


PRINTED = """() => {
  const shown = one => one.offsetParent && getComputedStyle(one).visibility !== 'hidden';
  const found = [];
  for (const one of document.querySelectorAll('details')) if (!one.open) found.push('closed');
  for (const one of document.querySelectorAll('.sidebar-drawer, .toc-drawer, .copybtn, p.ways'))
    if (shown(one)) found.push(one.className);
  for (const section of document.querySelectorAll('article section')) {
    const boxes = [...section.children].filter(shown).map(one => [one.textContent.slice(0, 30),
      one.getBoundingClientRect()]).filter(([, box]) => box.height > 0);
    for (let i = 1; i < boxes.length; i++)
      if (boxes[i][1].top < boxes[i - 1][1].bottom - 1) found.push(`overlap: ${boxes[i][0]}`);
  }
  return [...new Set(found)];
}"""


def test_on_paper_all_is_open_and_nothing_overlaps(site, browser):
    with served(site) as home:
        visitor = Visitor(browser, home, (794, 1123), "light")  # A4
        for path in LESSONS:
            visitor.page.goto(f"{home}notebooks/{path.stem}.html")
            visitor.page.emulate_media(media="print")
            visitor.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
            assert visitor.page.evaluate(PRINTED) == [], path.stem
            assert not visitor.page.evaluate(STICKS_OUT), path.stem
        visitor.page.close()


def test_a_listing_can_be_copied(site, browser):
    with served(site) as home:
        visitor = Visitor(browser, home, WINDOWS["desktop"], "light")
        visitor.page.goto(f"{home}notebooks/03_select.html")
        buttons = visitor.page.locator("div.cell_input button.copybtn").count()
        visitor.page.close()
    code = [cell for cell in cells_of(LESSONS[3]) if cell["cell_type"] == "code"]
    assert buttons == len(code)


def test_search_finds_a_lesson(site, browser):
    with served(site) as home:
        visitor = Visitor(browser, home, WINDOWS["desktop"], "light")
        visitor.page.goto(home + "index.html")
        visitor.page.fill(".sidebar-search", "epoll_wait")
        visitor.page.press(".sidebar-search", "Enter")
        found = visitor.page.locator("#search-results li a", has_text="05").first
        found.wait_for()
        visitor.page.wait_for_load_state("networkidle")  # it reads each page that it has found
        found.click()
        visitor.page.wait_for_url("**/notebooks/05_epoll.html*")
        visitor.page.locator(MARKED).first.wait_for(state="attached", timeout=5000)
        visitor.page.close()
    assert not visitor.wrong


def test_a_searched_word_is_marked_and_drawings_stay_as_they_are(site, browser):
    """Sphinx's script, left to itself, fails at a drawing's <desc> and misplaces its marks."""
    word = "client"
    with served(site) as home:
        visitor = Visitor(browser, home, WINDOWS["desktop"], "light")
        for path in LESSONS:
            address = f"{home}notebooks/{path.stem}.html"
            visitor.page.goto(address)
            before = visitor.page.evaluate(DRAWINGS)
            visitor.page.goto(f"{address}?highlight={word}")
            visitor.page.locator(MARKED).first.wait_for(state="attached", timeout=5000)
            assert visitor.page.evaluate(DRAWINGS) == before, path.stem
        visitor.page.close()
    assert not visitor.wrong


PLANTED = """<!doctype html><title>A page with faults</title>
<article id="here"><a href="gone.html">1</a><a href="#nowhere">2</a><a href="https://x y/">3</a>
<a href="#here">right</a><a href="https://example.org/">right</a>
<div style="overflow-x: auto"><p style="width: 3000px">scrolls</p></div>
<details><summary>.</summary><table style="width: 900px"><tr><td>.</table></details>
<img src="missing.png"><script src="https://example.org/tracker.js"></script></article>"""


@pytest.fixture
def planted(tmp_path, site):
    """A site with one page, and one fault of each kind."""
    (tmp_path / "page.html").write_text(PLANTED, encoding="utf-8")
    return tmp_path


def test_planted_references_are_found(planted):
    found = {to for _, to in wrong_references(planted)}
    faults = {"gone.html", "#nowhere", "https://x y/", "missing.png"}
    assert found == faults | {"https://example.org/tracker.js"}


def test_planted_faults_are_seen_by_the_browser(planted, browser):
    with served(planted) as home:
        visitor = Visitor(browser, home, WINDOWS["phone"], "light")
        found = visitor.visit("page.html")
        visitor.page.close()
    assert len([one for one in found if "another host" in one]) == 1
    assert any("404" in one and "missing.png" in one for one in found)
    assert any("sticks out when open: <table" in one for one in found)
    assert not any("<p" in one for one in found)  # it scrolls in its own box
