# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AccessKey: which source is used, sources are never mixed, and the error without one."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api import credentials
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    ID_VARIABLES,
    SECRET_VARIABLES,
    TOKEN_VARIABLES,
    Credentials,
    default_chain,
    first_set,
    given_credentials,
    resolve_credentials,
    with_id,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CredentialsError,
)

OPTIONS = {"access_key_id": "opt-id", "access_key_secret": "opt-secret"}
ENVIRON = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env-secret",
}
CHAIN = Credentials("chain-id", "chain-secret", "chain-token", "chain")


def nothing() -> None:
    """A chain that finds no AccessKey."""


def test_options_win_over_the_environment_and_the_chain() -> None:
    found = resolve_credentials(OPTIONS, ENVIRON, lambda: CHAIN)

    assert found == Credentials("opt-id", "opt-secret", None, "options")


def test_the_environment_wins_over_the_chain() -> None:
    found = resolve_credentials({}, ENVIRON, lambda: CHAIN)

    assert found == Credentials("env-id", "env-secret", None, "environment")


def test_the_chain_is_the_last_resort() -> None:
    assert resolve_credentials({}, {}, lambda: CHAIN) == CHAIN


def test_the_chain_is_not_even_asked_when_a_key_was_given() -> None:
    def unexpected() -> Credentials:
        raise AssertionError("asked")

    assert resolve_credentials(OPTIONS, {}, unexpected).source == "options"
    assert resolve_credentials({}, ENVIRON, unexpected).source == "environment"


def test_without_any_key_the_ways_to_give_one_are_told() -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve_credentials({}, {}, nothing)

    for way in (
        "access_key_id and access_key_secret",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "alibabacloud-credentials",
    ):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    ("options", "missing", "beside"),
    [
        ({"access_key_id": "i"}, "access_key_secret", "access_key_id"),
        ({"access_key_secret": "s3cr3t"}, "access_key_id", "access_key_secret"),
        ({"security_token": "t0k3n"}, "access_key_id", "security_token"),
        ({"access_key_id": "i", "security_token": "t0k3n"}, "access_key_secret", "access_key_id"),
    ],
)
def test_half_of_a_key_in_the_options_is_not_completed_from_the_environment(
    options: dict[str, str], missing: str, beside: str
) -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve_credentials(options, ENVIRON, lambda: CHAIN)

    assert caught.value.option == missing
    assert caught.value.problem == f"is missing, but {beside} is set"
    assert "s3cr3t" not in str(caught.value)
    assert "t0k3n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "missing"),
    [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY"),
        ("ALICLOUD_SECRET_KEY", "ALICLOUD_ACCESS_KEY"),
        ("ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_SECRET_ACCESS_KEY"),
        ("ALICLOUD_SECRET_ACCESS_KEY", "ALICLOUD_ACCESS_KEY_ID"),
    ],
)
def test_half_of_a_key_in_the_environment_is_not_completed_by_the_chain(
    variable: str, missing: str
) -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve_credentials({}, {variable: "hunter2"}, lambda: CHAIN)

    assert caught.value.option == missing
    assert caught.value.advice == f"Set {missing}, or unset {variable}."
    assert "hunter2" not in str(caught.value)


def test_an_incomplete_family_is_not_skipped_and_the_complete_one_is_named() -> None:
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "i",
        "ALICLOUD_ACCESS_KEY_ID": "i",
        "ALICLOUD_SECRET_KEY": "s",
    }

    with pytest.raises(CredentialsError) as caught:
        given_credentials({}, environ)

    assert caught.value.option == "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
    assert "to use ALICLOUD_ACCESS_KEY_ID and ALICLOUD_SECRET_KEY." in caught.value.advice


def test_a_stale_token_of_the_other_family_is_ignored() -> None:
    environ = {
        "ALICLOUD_ACCESS_KEY": "i",
        "ALICLOUD_SECRET_KEY": "s",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "stale",
    }

    assert given_credentials({}, environ) == Credentials("i", "s", None, "environment")


def test_a_lone_token_in_the_environment_is_no_key() -> None:
    assert given_credentials({}, {"ALICLOUD_SECURITY_TOKEN": "t"}) is None


def test_the_token_of_the_environment_does_not_join_a_key_of_the_options() -> None:
    environ = {**ENVIRON, "ALIBABA_CLOUD_SECURITY_TOKEN": "env-token"}

    assert resolve_credentials(OPTIONS, environ).security_token is None


@pytest.mark.parametrize("names", [ID_VARIABLES, SECRET_VARIABLES, TOKEN_VARIABLES])
def test_the_leftmost_variable_that_is_set_counts(names: tuple[str, ...]) -> None:
    for position in range(len(names)):
        environ = {name: name for name in names[position:]}
        environ.update(dict.fromkeys(names[:position], ""))

        assert first_set(environ, names) == names[position]


def test_no_variable_means_nothing() -> None:
    assert first_set({}, ID_VARIABLES) is None
    assert first_set(dict.fromkeys(ID_VARIABLES, ""), ID_VARIABLES) is None


KEY = {"access_key_id": "an-id", "access_key_secret": "a-secret", "security_token": "a-token"}


@pytest.mark.parametrize("bad", [" ", "\n", "\r\nx-cms-ip: 1", "\t", "é", "云", "\x00", "\x7f"])
@pytest.mark.parametrize("option", sorted(KEY))
def test_what_cannot_stand_in_a_header_is_refused_and_not_shown(option: str, bad: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve_credentials({**KEY, option: "hunter" + bad + "2"}, {})

    assert caught.value.option == option
    assert caught.value.problem.startswith("contains a space, a line break")
    assert caught.value.problem.endswith("(from options)")
    assert "hunter" not in str(caught.value)


def test_an_id_with_a_colon_is_none() -> None:
    with pytest.raises(CredentialsError, match="contains a colon"):
        resolve_credentials({**KEY, "access_key_id": "id:secret"}, {})


def test_a_bad_key_of_the_chain_is_refused_too() -> None:
    with pytest.raises(CredentialsError, match=r"\(from chain\)"):
        resolve_credentials({}, {}, lambda: Credentials("i", "s\n", None, "chain"))


def test_secret_and_token_are_not_in_the_repr() -> None:
    shown = repr(Credentials("an-id", "a-secret", "a-token"))

    assert "an-id" in shown
    assert "a-secret" not in shown
    assert "a-token" not in shown


@pytest.mark.parametrize(
    ("token", "secrets"), [("tok", ("sec", "tok")), (None, ("sec",)), ("", ("sec",))]
)
def test_secret_and_token_are_what_must_never_be_shown(
    token: str | None, secrets: tuple[str, ...]
) -> None:
    assert Credentials("id", "sec", token).secrets == secrets


def subset_of(source: str, names: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    value = st.sampled_from(["", source])
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, value))


FAMILY_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "first": {
        "id": ("ALIBABA_CLOUD_ACCESS_KEY_ID",),
        "secret": ("ALIBABA_CLOUD_ACCESS_KEY_SECRET",),
        "token": ("ALIBABA_CLOUD_SECURITY_TOKEN",),
    },
    "second": {
        "id": ("ALICLOUD_ACCESS_KEY", "ALICLOUD_ACCESS_KEY_ID"),
        "secret": ("ALICLOUD_SECRET_KEY", "ALICLOUD_SECRET_ACCESS_KEY"),
        "token": ("ALICLOUD_SECURITY_TOKEN",),
    },
}
# Each value names the family, the part and the variable, so that a mixture shows.
VALUES = {
    name: f"{family}-{part}-{name}"
    for family, parts in FAMILY_NAMES.items()
    for part, names in parts.items()
    for name in names
}
ENVIRONS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(["", value]) for name, value in VALUES.items()}
)


def expected(environ: Mapping[str, str], key_id: str = "") -> tuple[str, str, str | None] | None:
    """The oracle: the parts of the key, None for no key. Raises LookupError when incomplete."""
    for parts in FAMILY_NAMES.values():
        found = {
            part: next(iter([environ[name] for name in names if environ.get(name)]), "")
            for part, names in parts.items()
        }
        if found["secret"] and not found["id"]:
            found["id"] = key_id
        if found["id"] and found["secret"]:
            return found["id"], found["secret"], found["token"] or None
        if found["id"] or found["secret"]:
            raise LookupError
    return None


def test_the_oracle_has_every_variable() -> None:
    assert sorted(VALUES) == sorted((*ID_VARIABLES, *SECRET_VARIABLES, *TOKEN_VARIABLES))


@given(
    environ=ENVIRONS,
    key_id=st.sampled_from(["", "configured", *(VALUES[name] for name in ID_VARIABLES)]),
)
def test_a_key_of_the_environment_comes_from_one_family(
    environ: Mapping[str, str], key_id: str
) -> None:
    completed = with_id(environ, key_id)
    if key_id in environ.values():  # Ansible has read the option from a variable
        key_id = ""
    try:
        wanted = expected(environ, key_id)
    except LookupError:
        with pytest.raises(CredentialsError) as caught:
            given_credentials({}, completed)
        assert caught.value.option in VALUES
        assert not environ.get(str(caught.value.option))
        assert not any(value in str(caught.value) for value in environ.values() if value)
        return
    found = given_credentials({}, completed)

    if wanted is None:
        assert found is None
    else:
        assert found == Credentials(*wanted, "environment")


@given(
    options=subset_of("options", ("access_key_id", "access_key_secret", "security_token")),
    environ=subset_of("environment", (*ID_VARIABLES, *SECRET_VARIABLES, *TOKEN_VARIABLES)),
    in_chain=st.booleans(),
)
def test_a_key_never_comes_from_two_sources(
    options: Mapping[str, str], environ: Mapping[str, str], in_chain: bool
) -> None:
    found_there = Credentials("chain", "chain", "chain", "chain")

    def chain() -> Credentials | None:
        return found_there if in_chain else None

    half_in_environment, in_environment = False, False
    try:
        in_environment = expected(environ) is not None
    except LookupError:
        half_in_environment = True
    try:
        found = resolve_credentials(options, environ, chain)
    except CredentialsError:
        whole = bool(options.get("access_key_id") and options.get("access_key_secret"))
        half_in_options = any(options.values()) and not whole
        nowhere = not any(options.values()) and not in_environment and not in_chain
        assert half_in_options or half_in_environment or nowhere
        return
    parts = {found.access_key_id, found.access_key_secret, found.security_token} - {None}
    assert parts == {found.source}


class FakeFound:
    """What the package hands out."""

    def get_access_key_id(self) -> str:
        return "chain-id"

    def get_access_key_secret(self) -> str:
        return "chain-secret"

    def get_security_token(self) -> str:
        return "chain-token"


Install = Callable[[Callable[[], Any]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put an alibabacloud-credentials in place whose chain does what is asked."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}

    def put(get: Callable[[], Any]) -> None:
        provider = ModuleType("alibabacloud_credentials.provider")
        chain = type("DefaultCredentialsProvider", (), {"get_credentials": lambda _self: get()})
        provider.DefaultCredentialsProvider = chain  # type: ignore[attr-defined]
        package = ModuleType("alibabacloud_credentials")
        monkeypatch.setitem(sys.modules, "alibabacloud_credentials", package)
        monkeypatch.setitem(sys.modules, "alibabacloud_credentials.provider", provider)

    yield put
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


LOGGERS = ("credentials", "alibabacloud_credentials")


def test_the_default_chain_hands_out_what_the_package_finds(install: Install) -> None:
    install(FakeFound)

    assert default_chain() == CHAIN
    assert resolve_credentials({}, {}) == CHAIN


def test_the_chain_names_the_provider_where_the_package_tells_it(install: Install) -> None:
    named = type("Named", (FakeFound,), {"get_provider_name": lambda _self: "default/oidc"})
    install(named)

    found = default_chain()

    assert found is not None
    assert found.provider == "default/oidc"


@pytest.mark.parametrize("part", ["get_access_key_id", "get_access_key_secret"])
@pytest.mark.parametrize("value", [None, ""])
def test_an_incomplete_key_of_the_chain_is_an_error(
    install: Install, part: str, value: str | None
) -> None:
    install(type("Incomplete", (FakeFound,), {part: lambda _self: value}))

    with pytest.raises(CredentialsError, match="incomplete"):
        default_chain()


def test_the_package_logs_nothing_while_it_looks(install: Install) -> None:
    install(FakeFound)

    default_chain()

    assert not any(logging.getLogger(name).isEnabledFor(logging.CRITICAL) for name in LOGGERS)


def test_what_the_package_says_is_told_in_one_line_and_in_short(install: Install) -> None:
    def fail() -> None:
        raise RuntimeError("no profile, no role" + "!" * 10_000)

    install(fail)

    with pytest.raises(CredentialsError, match="reports: no profile, no role") as caught:
        default_chain()
    assert len(str(caught.value)) < 1200
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in str(caught.value)


def test_a_chain_that_hangs_is_given_up(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    install(go_on.wait)
    monkeypatch.setattr(credentials, "_CHAIN_SECONDS", 0.05)

    try:
        with pytest.raises(CredentialsError, match="found no AccessKey within"):
            default_chain()
    finally:
        go_on.set()


def test_without_the_package_there_is_no_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alibabacloud_credentials", None)
    monkeypatch.setitem(sys.modules, "alibabacloud_credentials.provider", None)

    assert default_chain() is None
    with pytest.raises(CredentialsError, match="no AccessKey was found"):
        resolve_credentials({}, {})
