# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real couriers that only test themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.probe import (
    PROBE_SECONDS,
    probe,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
    KEY_ID,
    SECRET,
    settings_for,
)


def test_a_courier_that_could_deliver_says_who_it_is(outbox: Outbox) -> None:
    settings = replace(settings_for("http://127.0.0.1:9"), outbox=str(outbox.root))
    before = sorted(outbox.root.rglob("*"))

    result = probe(settings)

    assert (result.problem, result.access_key_id) == (None, KEY_ID)
    assert result.credentials_source == "environment"
    assert 0 < result.seconds < PROBE_SECONDS
    assert SECRET not in repr(result)
    assert sorted(outbox.root.rglob("*")) == before, "it writes nothing"


def _hide(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a package from the controller and the courier."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(f"raise ImportError('no {name}')\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_courier_without_urllib3_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide("urllib3", tmp_path / "broken", monkeypatch)

    result = probe(settings_for("http://127.0.0.1:9"))

    assert result.problem is not None
    assert "urllib3 cannot be imported" in result.problem
    assert "Install requests" in result.advice


def test_a_courier_that_cannot_start_or_dies_is_a_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_for("http://127.0.0.1:9")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "python"))
        assert "could not be started (No such file" in (probe(settings).problem or "")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        assert "exit status 1 and no report" in (probe(settings).problem or "")


def test_a_courier_that_hangs_is_a_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "urllib3.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(str(folder))
    begin = time.monotonic()

    result = probe(settings_for("http://127.0.0.1:9"), seconds=1.0)

    assert "did not report within 1 s" in (result.problem or "")
    assert time.monotonic() - begin < 10


# What a wrapper script does: packages come from a folder that only it knows, and the chain's
# library is a stand-in that reads the file as the real one does.
_WRAPPER = """
import json, os, site, sys
before = list(sys.path)
site.addsitedir({site!r})
sys.path[:] = [one for one in sys.path if one not in before] + before + [{collections!r}]
from dataclasses import asdict
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_settings import (
    CourierSettings)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.probe import probe
print(json.dumps(asdict(probe(CourierSettings(
    Connection("http://127.0.0.1:9"), None, "", 60, 1, 1)))))
"""
_PROVIDER = """
import os
class Found:
    def __init__(self, text): self.id, self.secret = text.split()
    def get_access_key_id(self): return self.id
    def get_access_key_secret(self): return self.secret
    def get_security_token(self): return ""
    def get_provider_name(self): return "profile"
class DefaultCredentialsProvider:
    def get_credentials(self):
        with open(os.environ["ALIBABA_CLOUD_CREDENTIALS_FILE"]) as file:
            name = file.read().strip()
        with open(name) as file:
            return Found(file.read())
"""


@pytest.mark.parametrize("started_as", ["script", "-I"])
def test_a_wrapper_with_its_own_packages_and_relative_files(
    tmp_path: Path, started_as: str
) -> None:
    packages, project = tmp_path / "store" / "site-packages", tmp_path / "project"
    (packages / "alibabacloud_credentials").mkdir(parents=True)
    (packages / "alibabacloud_credentials" / "__init__.py").touch()
    (packages / "alibabacloud_credentials" / "provider.py").write_text(_PROVIDER)
    project.mkdir()
    (project / "json.py").write_text("raise SystemExit('the wrong json')\n")
    (project / "certifi.py").write_text("raise SystemExit('the wrong certifi')\n")
    (project / "creds.ini").write_text("key.txt\n")
    (project / "key.txt").write_text("LTAI5tProfile canary-secret\n")
    wrapper = tmp_path / "bin" / "wrapper.py"
    wrapper.parent.mkdir()
    code = _WRAPPER.format(collections=str(IMPORTED_FROM), site=str(packages))
    # The project's folder is in the way in the manner of "python -m".
    wrapper.write_text(code.replace("print(", "sys.path.insert(0, os.getcwd())\nprint("))
    options = [] if started_as == "script" else [started_as]
    done = subprocess.run(
        [sys.executable, *options, str(wrapper)],
        cwd=project,
        env={"PATH": os.environ["PATH"], "ALIBABA_CLOUD_CREDENTIALS_FILE": "creds.ini"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert '"problem": null' in done.stdout, (done.stdout, done.stderr)
    assert "LTAI5tProfile" in done.stdout
    assert "canary" not in done.stdout
