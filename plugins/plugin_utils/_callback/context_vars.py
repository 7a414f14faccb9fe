# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies the variables that a user has named into an event, and nothing else of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Environment, meta, nodes
from jinja2.exceptions import TemplateError

from ...module_utils._api.event import content_text

VALUE_BYTES = 1024
# A lookup reads files, runs commands or asks other services: not for a report's sake.
_LOOKUPS = frozenset({"lookup", "query", "q"})
# Through these every variable can be reached, past what is looked at here.
_WAYS_ROUND = frozenset({"vars", "hostvars"})
# Filters that open a vault or look at the disk, under each of their names.
_REACHES_OUT = frozenset(
    prefix + name
    for prefix in ("", "ansible.builtin.", "ansible.legacy.")
    for name in ("unvault", "fileglob")
)
_READS_FILES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
# The first line of a template may name other brackets than these.
_OTHER_BRACKETS = "#jinja2:"
# The classes of vaulted values: before ansible-core 2.19, and from then on.
_VAULTED = frozenset({"AnsibleVaultEncryptedUnicode", "EncryptedString"})
_DEPTH = 20

Render = Callable[[Any], Any]


def copy_variables(
    names: Iterable[str],
    variables: Mapping[str, Any],
    render: Render,
    mask: Callable[[Any], Any] = lambda value: value,
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the named variables, and the names that are left out.

    ``render`` resolves templates. ``mask`` removes secrets from a value before it is cut,
    because a part of a secret is not recognized. Left out are undefined variables, vaulted
    values, templates with lookups (also through other variables), and values that cannot be
    rendered or written as JSON. Values are cut at 1,024 bytes.
    """
    found: dict[str, Any] = {}
    missing: list[str] = []
    for name in names:
        try:
            if name not in variables or not _is_harmless(variables[name], variables, _DEPTH):
                missing.append(name)
                continue
            found[name] = _cut(mask(render(variables[name])))
        except Exception:
            # Whatever a template may raise, the report goes on without it.
            missing.append(name)
    return found, missing


def _is_harmless(value: Any, variables: Mapping[str, Any], depth: int) -> bool:
    """Return whether resolving ``value`` touches neither a vault nor a lookup."""
    if type(value).__name__ in _VAULTED or depth == 0:
        return False
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
        return all(_is_harmless(item, variables, depth - 1) for item in parts)
    if isinstance(value, (list, tuple)):
        return all(_is_harmless(item, variables, depth - 1) for item in value)
    if not isinstance(value, str):
        return True
    if value.startswith(_OTHER_BRACKETS):
        return False
    if "{{" not in value and "{%" not in value:
        return True
    try:
        tree = _PARSER.parse(str(value))
    except TemplateError:
        return False  # filters and tests of Ansible parse; what does not is no template
    names = meta.find_undeclared_variables(tree)
    if names & (_LOOKUPS | _WAYS_ROUND):
        return False
    filters = {node.name for node in tree.find_all(nodes.Filter)}
    # map() and its like take the name of a filter as a text.
    texts = {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    if (filters | texts) & _REACHES_OUT or any(True for _node in tree.find_all(_READS_FILES)):
        return False
    return all(
        _is_harmless(variables[name], variables, depth - 1) for name in names if name in variables
    )


class _AnyName(dict[str, Any]):
    """Knows every filter and test: whether they exist is Ansible's business.

    Jinja asks with get, even when it only looks for variables, and refuses a name without a
    function.
    """

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name, default or _not_run)


def _not_run(*_args: Any, **_kwargs: Any) -> None:
    """Stand for a filter or test of Ansible's."""


# It only parses. Optimizing would run the filters of constants.
_PARSER = Environment(autoescape=False, optimized=False)  # noqa: S701
_PARSER.filters = _AnyName(_PARSER.filters)
_PARSER.tests = _AnyName(_PARSER.tests)


def _cut(value: Any) -> Any:
    """Return ``value``, or its text cut to 1,024 bytes when it is larger. Raises ValueError."""
    text = content_text(value)
    data = text.encode("utf-8")
    if len(data) <= VALUE_BYTES:
        return str(value) if isinstance(value, str) else value
    return data[: VALUE_BYTES - 3].decode("utf-8", "ignore") + "…"
