# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the playbook "report" on an invented history and takes pictures of its page.

usage: report_pictures.py [FOLDER]

Writes report.png (a window of 1280 pixels) and report-phone.png (390 pixels) to docs/images or to
FOLDER. Needs ansible-core, requests, playwright and a Chromium; "nox -s pictures" installs the
rest. Run it after a change of the page.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import histories

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "images"
DEPLOYMENTS = 160
SECONDS = 120
RUNNING = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: sleep 100
"""


def make_page(folder: Path) -> Path:
    """Write a history, start a deployment, write the report; return the page.

    Raises subprocess.CalledProcessError if the playbook fails, TimeoutError if nothing starts.
    """
    installed = folder / "ansible_collections" / "aliops" / "cloudmonitor"
    installed.parent.mkdir(parents=True)
    installed.symlink_to(ROOT)
    outbox = folder / "outbox"
    outbox.mkdir(mode=0o700)
    histories.demo(outbox, DEPLOYMENTS)
    env = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "LOGNAME": "ada",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "CLOUDMONITOR_OUTBOX": str(outbox),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    (folder / "checkout.yml").write_text(RUNNING, encoding="utf-8")
    deployment = {
        **env,
        "ANSIBLE_CALLBACKS_ENABLED": "aliops.cloudmonitor.deployment_events",
        "CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT": "production",
        "CLOUDMONITOR_DEPLOYMENT_VERSION": "1.8.0",
        "CLOUDMONITOR_ENDPOINT": "http://127.0.0.1:9",  # nobody answers there
        "CLOUDMONITOR_LINGER": "0",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "pictures",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "pictures",
    }
    command = ("ansible-playbook", "-i", "localhost,")
    running = subprocess.Popen(
        (*command, "checkout.yml"), env=deployment, cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        wait_for_start(outbox)
        report = (*command, "aliops.cloudmonitor.report")
        subprocess.run(report, env=env, cwd=folder, timeout=SECONDS, check=True)
    finally:
        running.terminate()
        running.wait(SECONDS)
    page = folder / "deployments.html"
    shown = page.read_text(encoding="utf-8").replace(f"{folder}/outbox", "/srv/deployments/outbox")
    page.write_text(shown, encoding="utf-8")
    return page


def wait_for_start(outbox: Path) -> None:
    """Wait until a deployment has started. Raises TimeoutError."""
    deadline = time.monotonic() + SECONDS
    while not list(outbox.glob("runs/*/journal")):
        if time.monotonic() > deadline:
            raise TimeoutError("no deployment has started")
        time.sleep(0.1)


def take_pictures(page_file: Path, target: Path) -> None:
    """Take the pictures of a page."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        for name, width, height in (("report", 1280, 1060), ("report-phone", 390, 800)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(page_file.as_uri(), timeout=SECONDS * 1000)
            page.screenshot(path=str(target / f"{name}.png"))
        browser.close()


def main(arguments: Sequence[str]) -> None:
    """Take the pictures; the first argument is the folder for them."""
    target = Path(arguments[0]) if arguments else PICTURES
    with tempfile.TemporaryDirectory() as folder:
        take_pictures(make_page(Path(folder)), target)


if __name__ == "__main__":
    main(sys.argv[1:])
