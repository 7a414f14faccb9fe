# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in a headless Chromium, which notes every request and every violation of the policy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.page import (
    Source,
    render,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import report_samples
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    finish,
    invented,
)

NOW = report_samples.NOW
RUNNING = [
    report_samples.start(240, name="billing", environment="staging", version="1.3.0"),
    report_samples.start(7300, overdue=True, name="search", version="2.0.1"),
]
ANSWERS = {
    "typical": lambda: report_samples.answer(invented(300, NOW), RUNNING),
    "empty": lambda: report_samples.answer([]),
    "one": lambda: report_samples.answer([finish("a", NOW - 3600, version="1.4.2", user="ada")]),
    "many": lambda: report_samples.answer(invented(10_000, NOW), RUNNING),
    "hostile": report_samples.hostile,
}
_COLLECT = """
window.violations = [];
addEventListener('securitypolicyviolation', event => window.violations.push(
    event.violatedDirective + ' ' + event.blockedURI));
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root. It opens only files of these tests.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


class Shown:
    """A page that is shown, and what it did."""

    def __init__(self, page: Page, requests: list[str]) -> None:
        self.page = page
        self.requests = requests

    def violations(self) -> list[str]:
        """Return the violations of the Content-Security-Policy so far."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


class Shower:
    """Shows samples and other pages, each in a separate context."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def html(self, sample: str) -> str:
        """Return the page of a sample."""
        source = Source("the outbox", "/home/ada/.ansible/aliops.cloudmonitor")
        return render(ANSWERS[sample](), source, NOW)

    def show(self, sample: str, html: str | None = None, width: int = 1280, **more: Any) -> Shown:
        """Show a sample, or other HTML, in a window of this width."""
        path = self._folder / f"{sample}.html"
        text = self.html(sample) if html is None else html
        path.write_bytes(text.encode("utf-8", "replace"))
        context = self._browser.new_context(viewport={"width": width, "height": 900}, **more)
        page = context.new_page()
        page.add_init_script(_COLLECT)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri(), timeout=120_000)  # a busy machine
        return Shown(page, [url for url in requests if url != path.as_uri()])

    def close(self) -> None:
        """Close all pages."""
        for context in self._browser.contexts:
            context.close()


@pytest.fixture
def shower(browser: Browser, tmp_path: Path) -> Iterator[Shower]:
    shower = Shower(browser, tmp_path)
    yield shower
    shower.close()
