# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the callback, and the mistakes in them that Ansible accepts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible import constants
from ansible.config.manager import ConfigManager

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    check_options,
)

PLUGIN = "aliops.cloudmonitor.booleans"
OPTION = {"validate_certs": {"type": "bool", "default": True, "env": [{"name": "CM_TEST_BOOLEAN"}],
          "ini": [{"section": "callback_deployment_events", "key": "validate_certs"}]}}  # fmt: skip


def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    path = tmp_path / "ansible.cfg"
    path.write_text("[defaults]\n[callback_deployment_events]\n" + text, encoding="utf-8")
    definitions = tmp_path / "base.yml"  # Ansible's own options, which it takes long to read
    definitions.write_text("{}")
    manager = ConfigManager(str(path), str(definitions))
    manager.initialize_plugin_configuration_definitions("callback", PLUGIN, OPTION)
    monkeypatch.setattr(constants, "config", manager)


@pytest.mark.parametrize(
    "word", ["false", "no", "0", "off", "False", "n", '"false"', "true", "yes", "1", ""]
)
def test_a_boolean_that_is_true_or_false_is_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str
) -> None:
    configure(monkeypatch, tmp_path, f"validate_certs = {word}  ; a word\n" if word else "")
    check_options(PLUGIN, {})
    configure(monkeypatch, tmp_path, "")
    monkeypatch.setenv("CM_TEST_BOOLEAN", word or "false")
    check_options(PLUGIN, {})


@pytest.mark.parametrize("word", ["ture", "enabled", "2", "nein"])
def test_an_unknown_word_does_not_mean_false(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str
) -> None:
    configure(monkeypatch, tmp_path, f"validate_certs = {word}\n")
    with pytest.raises(ConfigurationError, match="validate_certs: must be true or false") as told:
        check_options(PLUGIN, {})
    assert word in str(told.value)

    configure(monkeypatch, tmp_path, "validate_certs = true\n")
    monkeypatch.setenv("CM_TEST_BOOLEAN", word)
    with pytest.raises(ConfigurationError, match="must be true or false"):
        check_options(PLUGIN, {})


@pytest.mark.parametrize("option", ["outbox", "ca_path"])
def test_a_path_of_an_unknown_home_is_an_error_wherever_ansible_has_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str
) -> None:
    configure(monkeypatch, tmp_path, "")
    monkeypatch.chdir("/usr")
    monkeypatch.setenv("HOME", "~")
    for path in ("~", "~/x", "/usr/~/x", f"{tmp_path}/~/x", "~nobody-here/x"):
        with pytest.raises(ConfigurationError, match="there is no home directory") as caught:
            check_options(PLUGIN, {option: path})
        assert caught.value.option == option
    for right in ("", None, "/x", "x~", "/usr/x/~", "/~/x", str(tmp_path)):
        check_options(PLUGIN, {option: right})
