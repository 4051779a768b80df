"""The docs site, built in strict mode: links, anchors, orphans, and that it loads nothing from elsewhere.

MkDocs checks the links of the Markdown files; these tests check the built pages, as a reader has them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag

import chromium
import pytest
import yaml
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from studies.docgen import docs_site

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Attributes from which a browser loads something by itself."""


@dataclass
class Page(HTMLParser):
    """The anchors of a built page, what it loads, and its links: all of them, and those of its text."""

    text: str
    anchors: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    links_of_text: set[str] = field(default_factory=set)

    def __post_init__(self):
        super().__init__()
        self.in_text = False
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        self.in_text |= tag == "article"
        self.anchors |= {attributes[name] for name in ("id", "name") if name in attributes}
        if attributes.get(LOADED.get(tag, ""), ""):
            self.loaded.add(attributes[LOADED[tag]])
        if tag == "a" and "href" in attributes:
            self.links.add(attributes["href"])
            if self.in_text:
                self.links_of_text.add(attributes["href"])

    def handle_endtag(self, tag):
        self.in_text &= tag != "article"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", ROOT / "mkdocs.yml", "--site-dir", folder],
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Every page by its path, except 404.html, whose links a server resolves."""
    return {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}


def inside(page: Path, links: set[str]) -> Iterator[tuple[Path, str]]:
    """The path and anchor of those links that stay on the site."""
    for link in links:
        target, anchor = urldefrag(link)
        if not re.match(r"[a-z]+:", target):
            yield (page.parent / unquote(target)).resolve() if target else page, anchor


def test_every_link_and_anchor_leads_somewhere(pages):
    assert len(pages) > 50
    broken = [
        f"{page.name}: {target.name}#{anchor}"
        for page, parsed in pages.items()
        for target, anchor in inside(page, parsed.links | parsed.loaded)
        if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors)
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_first_by_the_links_of_texts(site, pages):
    reached, new = set(), {site / "index.html"}
    while new:
        reached |= new
        new = {target for page in new for target, _ in inside(page, pages[page].links_of_text)}
        new = {page for page in new if page in pages} - reached
    assert {page.name for page in set(pages) - reached} == set()


def test_nothing_is_loaded_from_other_servers(site, pages):
    assert all(not re.match(r"(https?:)?//", link) for parsed in pages.values() for link in parsed.loaded)
    styles = [path.read_text() for path in site.rglob("*.css")]
    assert not [
        address for text in styles for address in re.findall(r"url\(['\"]?((?:https?:)?//[^)]*)", text)
    ]
    scripts = "".join(parsed.text for parsed in pages.values())
    assert not re.findall(r"class=\"mermaid", scripts), "Material loads Mermaid from another server"


def test_code_in_lists_is_code(pages):
    """GitHub takes other indentations for code in a list than Python-Markdown does."""
    assert not [
        page.name for page, parsed in pages.items() if re.search(r"<p>(testbed|make) \w+ ", parsed.text)
    ]


def test_the_findings_and_their_figures_are_there(site):
    for path in (ROOT / "studies" / "results").rglob("*.png"):
        copy = site / "findings" / path.relative_to(ROOT / "studies" / "results")
        assert copy.read_bytes() == path.read_bytes()


@pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
def test_the_search_finds_a_page_that_was_opened_from_disk(site):
    asked, said = [], []
    with chromium.launched() as browser:
        page = browser.new_page()
        page.set_default_timeout(1000 * chromium.PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.get_by_role("textbox", name="Search").press_sequentially("gemodel")
        page.locator(".md-search-result__link").first.click()
        page.wait_for_url(re.compile(r"\.html\?h="))
        assert "gemodel" in page.locator("article").inner_text()
    assert said == []
    assert {address.partition(":")[0] for address in asked} == {"file"}


CONFIG = SimpleNamespace(config_file_path=str(ROOT / "mkdocs.yml"), repo_url=None)
SOURCES = "See [`links.py`](../testbed/network/links.py), [installing](installing.md) and [Ray](https://www.ray.io)."


@pytest.mark.parametrize(
    ("address", "link"),
    [
        (None, "`links.py`"),
        (
            "https://example.org/testbed/",
            "[`links.py`](https://example.org/testbed/blob/main/testbed/network/links.py)",
        ),
    ],
)
def test_links_to_code_lead_to_the_repository_or_are_plain_text(address, link):
    files = Files([File(uri, str(ROOT), "site", False) for uri in docs_site.sources(ROOT)])
    page = SimpleNamespace(file=files.get_file_from_path("docs/architecture.md"))
    config = SimpleNamespace(config_file_path=CONFIG.config_file_path, repo_url=address)
    assert (ROOT / "testbed" / "network" / "links.py").is_file()
    made = docs_site.on_page_markdown(SOURCES, page, config, files)
    assert made == f"See {link}, [installing](installing.md) and [Ray](https://www.ray.io)."


def test_the_list_of_pages_is_the_navigation(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# All\n\n## One\n\n- [A](a.md): b\n- [C](../C.md)\n")
    assert docs_site.navigation(tmp_path) == [
        {"Home": "README.md"},
        {"One": [{"A": "docs/a.md"}, {"C": "C.md"}, {"All pages": "docs/README.md"}]},
    ]
    (tmp_path / "docs" / "README.md").write_text("# All\n\n## One\n\nNothing.\n")
    with pytest.raises(PluginError, match="'## One' has no list of pages below it"):
        docs_site.navigation(tmp_path)


def test_warnings_stop_the_build_and_fonts_are_those_of_the_machine():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert config["strict"] is True
    assert config["theme"]["font"] is False
