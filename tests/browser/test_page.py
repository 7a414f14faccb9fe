# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report page in a real browser: safe, accessible, and readable everywhere."""

from __future__ import annotations

import sys
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from ansible_collections.aliops.cloudmonitor.tests.browser.conftest import ANSWERS, Shower

every_sample = pytest.mark.parametrize("sample", sorted(ANSWERS))


@every_sample
def test_the_page_makes_no_request_and_violates_no_policy(shower: Shower, sample: str) -> None:
    shown = shower.show(sample)
    shown.page.mouse.wheel(0, 5000)
    shown.page.wait_for_timeout(200)

    assert [url for url in shown.requests if not url.startswith("data:,")] == []
    assert shown.violations() == []
    assert shown.page.evaluate("window.hit") is None


def test_the_policy_stops_what_does_not_belong_to_the_page(shower: Shower) -> None:
    foreign = (
        "<script>window.hit = 1</script><p style='color: red' onclick='window.hit = 2'>x</p>"
        "<img src='https://example.com/x.png' onerror='window.hit = 3'>"
        "<link rel=stylesheet href='https://example.com/x.css'>"
    )
    shown = shower.show("foreign", shower.html("one").replace("</main>", foreign + "</main>"))
    shown.page.wait_for_timeout(200)

    assert shown.page.evaluate("window.hit") is None
    directives = {one.split()[0] for one in shown.violations()}
    assert {"script-src-elem", "script-src-attr", "style-src-attr", "img-src"} <= directives


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("sample", ["typical", "empty", "one", "hostile"])
def test_axe_finds_no_violation(shower: Shower, sample: str, width: int, scheme: str) -> None:
    shown = shower.show(sample, width=width, color_scheme=scheme)

    results = Axe().run(shown.page)
    assert results.violations_count == 0, results.generate_report()
    assert len(results.response["passes"]) > 15


@every_sample
@pytest.mark.parametrize("width", [1280, 768, 390])
def test_nothing_is_wider_than_the_window(shower: Shower, sample: str, width: int) -> None:
    shown = shower.show(sample, width=width)

    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:  # neither are tables that scroll
        wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > innerWidth)"
        assert shown.page.evaluate(f"{wide}.length") == 0


def test_the_table_can_be_sorted_and_filtered(shower: Shower) -> None:
    page = shower.show("typical").page
    names = "[...document.querySelectorAll('.all tbody tr:not([hidden])')].map(r => r.cells[%d]"
    shown = len(page.evaluate(names % 1 + ".textContent)"))
    assert shown == 200

    page.get_by_role("button", name="Deployment").click()
    assert page.locator(".all th[aria-sort=ascending]").inner_text().startswith("Deployment")
    column = page.evaluate(names % 1 + ".textContent)")
    assert column == sorted(column)
    page.get_by_role("button", name="Duration").click()
    page.get_by_role("button", name="Duration").click()
    seconds = page.evaluate(names % 5 + ".dataset.v)")
    assert list(map(int, seconds)) == sorted(map(int, seconds), reverse=True)

    page.get_by_label("Status").select_option("failed")
    assert {*page.evaluate(names % 4 + ".className)")} == {"failed"}
    page.get_by_label("Filter").fill("SHOP production")
    assert {*page.evaluate(names % 1 + ".textContent)")} == {"shop"}
    assert {*page.evaluate(names % 2 + ".textContent)")} == {"production"}
    page.get_by_label("Filter").fill("no such deployment")
    assert page.locator("output").inner_text() == "0 of 0 (300 in total)"


def test_more_rows_can_be_shown(shower: Shower) -> None:
    page = shower.show("typical").page

    page.get_by_role("button", name="Show more").click()
    assert page.locator(".all tbody tr:visible").count() == 300
    assert not page.get_by_role("button", name="Show more").is_visible()


def test_without_scripts_everything_is_there(shower: Shower) -> None:
    page = shower.show("typical", java_script_enabled=False).page

    assert page.locator(".all tbody tr:visible").count() == 300
    assert not page.locator(".filter").is_visible()
    assert not page.locator(".more").is_visible()
    for label in ("Day", "Week", "Month", "Whole period"):
        page.get_by_text(label, exact=True).click()
        assert page.locator(".panel:visible").count() == 1
        assert page.locator(f"#zoom-{label.split()[-1].lower()}").is_checked()


def test_a_mark_can_be_read_and_followed_with_the_keyboard(shower: Shower) -> None:
    page = shower.show("typical").page
    page.get_by_text("Whole period", exact=True).click()

    page.keyboard.press("Tab")
    mark = page.locator(".mark:focus")
    assert mark.locator(".tip").evaluate("element => getComputedStyle(element).opacity") == "1"
    assert "UTC" in (mark.text_content() or "")
    row = mark.get_attribute("href")
    assert row is not None
    # It is one of the oldest deployments, which the script hides at first.
    assert not page.locator(row).is_visible()
    page.keyboard.press("Enter")
    page.locator(row).wait_for(state="visible", timeout=5000)


def test_on_paper_there_is_everything_and_no_controls(shower: Shower) -> None:
    page = shower.show("typical", width=700).page  # A4 with margins of 12 mm
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 701, "height": 900})

    widths = "[...document.querySelectorAll('html, .scroll')].map(e => e.scrollWidth)"
    assert max(page.evaluate(widths)) <= 701
    assert page.locator("nav:visible, .filter:visible, .zoom > label:visible").count() == 0
    assert page.locator(".panel:visible .mark").count() > 20
    assert page.locator(".terms dd").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_ten_thousand_deployments_are_shown_quickly(shower: Shower) -> None:
    html = shower.html("many")
    began = time.monotonic()
    page = shower.show("many", html).page

    assert page.locator(".all tbody tr").count() == 10_000
    assert page.locator(".all tbody tr:visible").count() == 200
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n10,000 deployments: {len(html.encode()):,} bytes, {seconds:.1f} s\n")
    assert seconds < 60
