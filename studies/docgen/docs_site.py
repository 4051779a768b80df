"""The files and the navigation of the docs site: a hook of MkDocs, named in ``mkdocs.yml``.

The site has the Markdown files of the repository as they are. Inside MkDocs each keeps its path from the root
of the repository, so relative links that work on GitHub work on the site too. The navigation is made from
``docs/README.md``, the list of pages that GitHub shows.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

INDEX = "docs/README.md"
FINDINGS = "studies/results/README.md"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
"""Pages at the root of the repository."""

SHOWN = ("*.md", "*.png")
"""Files below the folder of the findings that belong to the site."""

DESTINATIONS = {INDEX: "pages.html", "CONTRIBUTING.md": "contributing.html", "CHANGELOG.md": "changelog.html"}
"""Pages whose place on the site does not follow from their path."""

FOLDERS = {"docs": ".", "studies/results": "findings"}
"""Folder of the repository -> folder of the site."""

_LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Sets the navigation, the anchors of headings, and the folders that `mkdocs serve` watches."""
    root = _root(config)
    config.mdx_configs["toc"]["slugify"] = anchor
    config.nav = navigation(root)
    config.watch += [str(root / path) for path in (*PAGES, "studies/results")]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces the files below ``docs/`` by those of the repository, and keeps the theme's."""
    root = _root(config)
    made = [
        File(uri, str(root), config.site_dir, config.use_directory_urls, dest_uri=destination(uri))
        for uri in sources(root)
    ]
    return Files([*made, *(file for file in files if file.src_dir != config.docs_dir)])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to source code lead to the repository; without ``repo_url`` they become plain text."""
    root, folder = _root(config), posixpath.dirname(page.file.src_uri)

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        if "://" in link[2] or files.get_file_from_path(target) or not (root / target).exists():
            return link[0]
        if not config.repo_url:
            return link[1]
        return f"[{link[1]}]({config.repo_url.rstrip('/')}/blob/main/{target}{link[3] or ''})"

    return _LINK.sub(rewritten, markdown)


def sources(root: Path) -> Iterator[str]:
    """Paths of all files of the site, relative to the root of the repository, in a fixed order."""
    yield from PAGES
    found = [path for path in (root / "docs").rglob("*.*") if path.is_file()]
    found += [path for pattern in SHOWN for path in (root / FINDINGS).parent.rglob(pattern)]
    for path in sorted(found):
        if not any(part.startswith((".", "__")) for part in path.relative_to(root).parts):
            yield path.relative_to(root).as_posix()


def destination(uri: str) -> str:
    """The path on the site of a file of the repository."""
    if uri in DESTINATIONS:
        return DESTINATIONS[uri]
    path = PurePosixPath(uri)
    for folder, place in FOLDERS.items():
        if path.is_relative_to(folder):
            path = place / path.relative_to(folder)
    if path.suffix != ".md":
        return str(path)
    return str(path.with_name("index.html") if path.stem == "README" else path.with_suffix(".html"))


def anchor(heading: str, separator: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", separator)


def navigation(root: Path) -> list[Any]:
    """MkDocs' ``nav``: the home page, and for each heading of the list of pages the links that it has below.

    Raises:
        PluginError: a heading has no links below it; one line.
    """
    nav: list[Any] = [{"Home": "README.md"}]
    _, *parts = re.split(r"^## (.+)$", (root / INDEX).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        links = re.findall(r"^- \[([^\]]+)\]\(([^)\s]+)\)", text, re.MULTILINE)
        if not links:
            raise PluginError(f"{INDEX}: '## {heading}' has no list of pages below it")
        listed = [{title: posixpath.normpath(posixpath.join("docs", link))} for title, link in links]
        if FINDINGS in listed[0].values():
            listed += _findings(root)
        nav.append({heading: listed})
    nav[-1][heading].append({"All pages": INDEX})
    return nav


def _findings(root: Path) -> list[dict[str, str]]:
    """A page for each folder of findings, by the folder's name."""
    pages = sorted((root / FINDINGS).parent.glob("*/README.md"))
    return [{page.parent.name: page.relative_to(root).as_posix()} for page in pages]


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
