"""A headless Chromium for tests of pages, opened from disk.

Playwright is only the remote control; no browser of its own is used, and none is downloaded.
"""

import os
import shutil
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]

MISSING = "" if any(map(shutil.which, NAMES)) else f"no browser on this machine: none of {', '.join(NAMES)}"
"""Why tests in a browser are skipped; empty if there is one."""

PATIENCE = 60
"""Seconds after which something will not happen any more, on a machine that is busy with other things."""


@contextmanager
def launched():
    """The first of the browsers that this machine has."""
    program = next(filter(None, map(shutil.which, NAMES)))
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, *root])
        yield browser
        browser.close()
