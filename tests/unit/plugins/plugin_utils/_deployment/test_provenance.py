# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name the deployed software."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.provenance import (
    Provenance,
    parse_provenance,
)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_an_empty_option_counts_as_unset(nothing: str | None) -> None:
    options = dict.fromkeys(("commit", "repository", "committed_at", "url"), nothing)

    assert parse_provenance(options) == parse_provenance({}) == Provenance()


def test_numbers_of_yaml_are_taken_as_what_they_look_like() -> None:
    found = parse_provenance({"commit": 1234567, "committed_at": 1508741079})

    assert (found.commit, found.committed_at) == ("1234567", 1508741079.0)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"commit": "v1.4.2"}, "commit: must be the id of a commit"),
        ({"commit": "abcdef"}, "commit: must be the id of a commit"),
        ({"commit": "a" * 65}, "commit: must be the id of a commit"),
        ({"committed_at": "yesterday"}, "committed_at: is 'yesterday', which is not a time"),
        ({"url": "git.example/shop"}, "url: must be a URL with http or https"),
        ({"url": "javascript:alert(1)"}, "url: must be a URL with http or https"),
        ({"url": "https://"}, "url: must be a URL with http or https"),
        ({"url": "https://[::1"}, "url: must be a URL with http or https"),
        ({"repository": "a\nb"}, "repository: contains the character U+000A"),
        ({"repository": "x" * 1025}, "repository: has 1025 characters"),
    ],
)
def test_a_wrong_provenance_is_an_error_that_names_the_option(
    wrong: dict[str, Any], problem: str
) -> None:
    prefixed = {f"deployment_{name}": value for name, value in wrong.items()}
    for options, prefix in ((wrong, ""), (prefixed, "deployment_")):
        with pytest.raises(InvalidInput) as caught:
            parse_provenance(options, prefix)
        assert str(caught.value).startswith(prefix + problem)
