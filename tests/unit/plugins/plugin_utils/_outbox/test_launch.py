# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the courier and its surroundings, and real couriers that test themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import launch
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_process import (
    merged_path,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.launch import (
    CourierSettings,
    courier_environment,
    courier_import_path,
    interpreter_options,
    probe,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
    KEY_ID,
    SECRET,
    settings_for,
)

FILES = ["ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_CONFIG_FILE",
         "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE",
         "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HOME", "TMPDIR", "VIRTUAL_ENV",
         "PYTHONUSERBASE"]  # fmt: skip
LISTS = ["PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SSL_CERT_DIR"]
SECONDS = st.floats(0, 1e6)
TEXTS = st.text(st.characters(exclude_characters="\0"))


@given(
    settings=st.builds(
        CourierSettings,
        connection=st.builds(
            Connection, endpoint=TEXTS, timeout=SECONDS, ca_path=st.none() | TEXTS
        ),
        credentials=st.none() | st.builds(Credentials, TEXTS, TEXTS, st.none() | TEXTS, TEXTS),
        destination=TEXTS,
        import_path=st.lists(TEXTS).map(tuple),
        outbox=TEXTS,
        lock=st.integers(),
        ttl=SECONDS,
        linger=SECONDS,
        flush_timeout=SECONDS,
    )
)
def test_the_settings_survive_the_way_to_the_courier(settings: CourierSettings) -> None:
    text = settings.dump()

    assert CourierSettings.parse(text) == settings
    assert text.isascii()
    assert "\n" not in text


def test_a_path_that_is_not_utf8_survives_the_way_to_the_courier() -> None:
    settings = replace(settings_for("http://x"), outbox=os.fsdecode(b"/srv/\xff"))

    assert CourierSettings.parse(settings.dump()) == settings


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", "1", '{"credentials": null}'])
def test_other_settings_are_an_error(text: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        CourierSettings.parse(text)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("creds.ini", "/srv/deploy/creds.ini"),
        ("./creds.ini", "/srv/deploy/./creds.ini"),
        ("../creds.ini", "/srv/deploy/../creds.ini"),
        ("/etc/creds.ini", "/etc/creds.ini"),
        # The library opens this in the working directory, so a task does, and the courier.
        ("~/creds.ini", "/srv/deploy/~/creds.ini"),
    ],
)
def test_a_file_is_looked_for_where_ansible_was_started(
    name: str, value: str, expected: str
) -> None:
    assert courier_environment({name: value}, "/srv/deploy") == {name: expected}


@pytest.mark.parametrize("name", LISTS)
def test_every_entry_of_a_list_of_paths_is_absolute(name: str) -> None:
    environ = {name: "lib::/opt/lib:."}

    assert courier_environment(environ, "/srv") == {name: "/srv/lib:/opt/lib:/srv/."}
    assert courier_environment({name: ":"}, "/srv") == {}, "its own directory is not meant"


def test_an_empty_variable_stays_empty_or_away() -> None:
    assert courier_environment(dict.fromkeys(FILES, ""), "/srv") == {}
    assert courier_environment({"no_proxy": "", "SECRET": "x"}, "/srv") == {"no_proxy": ""}


@given(st.dictionaries(st.sampled_from([*FILES, *LISTS]), TEXTS), st.just("/srv"))
def test_no_relative_path_reaches_the_courier(environ: dict[str, str], directory: str) -> None:
    for name, value in courier_environment(environ, directory).items():
        entries = value.split(os.pathsep) if name in LISTS else [value]
        assert all(entry.startswith("/") for entry in entries)


@pytest.mark.parametrize(
    ("entries", "script_folder", "expected"),
    [
        (["/venv/bin", "/usr/lib/python3"], "/venv/bin", ("/usr/lib/python3", "/venv/bin")),
        (["", "/usr/lib/python3"], None, ("/usr/lib/python3", "/srv/")),
        ([".", "/usr/lib/python3"], None, ("/usr/lib/python3", "/srv/.")),
        (["/srv", "/usr/lib/python3"], None, ("/usr/lib/python3", "/srv")),
        (["vendor", "/usr/lib/python3"], None, ("/srv/vendor", "/usr/lib/python3")),
        (["/app.pyz", "/usr/lib/python3"], "/", ("/app.pyz", "/usr/lib/python3")),
        (["/a", "/b", "/a"], None, ("/a", "/b")),
        ([Path("/a"), "/b", None], None, ("/b",)),
    ],
)
def test_it_imports_from_where_the_controller_does(
    entries: list[object], script_folder: str | None, expected: tuple[str, ...]
) -> None:
    assert courier_import_path(entries, "/srv", script_folder) == expected


def test_what_only_the_courier_has_comes_after_what_the_controller_has() -> None:
    own = ["/script", "", "/usr/lib/python3", "/usr/lib/site"]

    assert merged_path(["/nix/store/x", "/usr/lib/site"], own, "/script") == [
        "/nix/store/x", "/usr/lib/site", "/usr/lib/python3",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [["-I"], ["-S"], ["-E", "-s"]])
def test_python_is_started_as_the_controller_was(options: list[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(IMPORTED_FROM)!r})\n"
        "from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import launch\n"
        "print(launch.interpreter_options())"
    )
    done = subprocess.run(
        [sys.executable, *options, "-X", "utf8=0", "-c", code],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert done.stdout.strip() == repr(options), done.stderr


def test_this_process_has_no_option() -> None:
    assert [one for one in interpreter_options() if one not in ("-X", "utf8")] == []


def test_a_courier_that_could_deliver_says_who_it_is(outbox: Outbox) -> None:
    settings = replace(settings_for("http://127.0.0.1:9"), outbox=str(outbox.root))
    before = sorted(outbox.root.rglob("*"))

    result = probe(settings)

    assert (result.problem, result.access_key_id) == (None, KEY_ID)
    assert result.credentials_source == "environment"
    assert (result.requests_version or "").startswith("2.")
    assert 0 < result.seconds < launch.PROBE_SECONDS
    assert SECRET not in repr(result)
    assert sorted(outbox.root.rglob("*")) == before, "it writes nothing"


def _hide(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a package from the controller and the courier."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(f"raise ImportError('no {name}')\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_courier_without_requests_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide("requests", tmp_path / "broken", monkeypatch)

    result = probe(settings_for("http://127.0.0.1:9"))

    assert result.problem is not None
    assert "requests cannot be imported" in result.problem
    assert "Install" in result.advice


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
    (folder / "requests.py").write_text("import time\ntime.sleep(60)\n")
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
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.launch import (
    CourierSettings, probe)
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


def test_every_setting_has_a_plain_value() -> None:
    def is_plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(is_plain(one) for one in value.values())
        return value is None or isinstance(value, (str, int, float, bool, tuple))

    assert is_plain(asdict(settings_for("http://x")))
