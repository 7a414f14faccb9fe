# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path whose home directory is not known never becomes a folder."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import (
    parse_connection,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.paths import check_home


def homeless(path: str) -> str:
    """Expand nothing except the home of the user "known"."""
    return path.replace("~known", "/home/known")


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("~", "~"),
        ("~/box", "~"),
        ("~/../box", "~"),
        ("~unknown/box", "~unknown"),
        ("/srv/~/box", "~"),
        ("/srv/~unknown", "~unknown"),
        ("/etc/ansible/~/box", "~"),
    ],
)
def test_a_home_that_was_not_replaced_is_an_error(path: str, first: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_home("outbox", path, ["/srv", "/etc/ansible", ""], homeless)

    assert caught.value.option == "outbox"
    assert caught.value.problem.startswith(f"begins with {first}, ")
    assert "Set HOME" in caught.value.advice


@pytest.mark.parametrize(
    "path",
    ["/srv/box", "box", "/srv/box~", "/srv/sub/~", "/service/~/box", "/srv/~known/box", "./~"],
)
def test_every_other_path_is_accepted(path: str) -> None:
    check_home("outbox", path, ["/srv", "/etc/ansible"], homeless)


def test_the_root_folder_can_be_the_working_directory() -> None:
    with pytest.raises(ConfigurationError):
        check_home("outbox", "/~/box", ["/"], homeless)


def test_a_certificate_file_of_an_unknown_home_is_an_error() -> None:
    params = {"region": "cn-hangzhou", "network": "public", "timeout": 5.0, "retries": 0}

    with pytest.raises(ConfigurationError, match="ca_path: begins with ~user-that-is-not-here"):
        parse_connection(
            {**params, "validate_certs": True, "ca_path": "~user-that-is-not-here/ca.pem"}
        )
