# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The destination names the account: whatever the chain would find, it is known or it waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import (
    OLD_CHAIN,
    Account,
    Selection,
    given_destination,
    is_undecided,
    read_config,
    select,
    shown_destination,
)

HOME = "/home/u"
CLI, INI = f"{HOME}/.aliyun/config.json", f"{HOME}/.alibabacloud/credentials.ini"
ROLE_ARN = "acs:ram::1:role/deploy"
OIDC = {
    "ALIBABA_CLOUD_ROLE_ARN": ROLE_ARN,
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/token",
}
NO_ECS = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}


def ak(name: str, key_id: str = "", **parts: Any) -> dict[str, Any]:
    key = {"access_key_id": key_id or f"LTAI-{name}", "access_key_secret": "s"}
    return {"name": name, "mode": "AK", **key, **parts}


def config(*profiles: Mapping[str, Any], current: Any = "a") -> str:
    return json.dumps({"current": current, "profiles": profiles})


def ini(**sections: Mapping[str, str]) -> str:
    lines = []
    for name, section in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in section.items())]
    return "\n".join(lines)


INI_KEY = {"type": "access_key", "access_key_id": "LTAI-ini", "access_key_secret": "s"}
STS_PROFILE = {
    "name": "a", "mode": "StsToken", "access_key_id": "STS.1", "access_key_secret": "s",
    "sts_token": "t",
}  # fmt: skip


def chosen(
    environ: Mapping[str, str] | None = None, cli: str | None = None, file: str | None = None
) -> Selection:
    files = {CLI: cli, INI: file}
    return select({"HOME": HOME, **(environ or {})}, files.get)


CASES: dict[str, tuple[Selection, str]] = {
    "the current profile": (chosen(cli=config(ak("b"), ak("a"))), "key:LTAI-a"),
    "another current profile": (chosen(cli=config(ak("a"), ak("b"), current="b")), "key:LTAI-b"),
    "a profile by variable": (
        chosen({"ALIBABA_CLOUD_PROFILE": "b"}, config(ak("a"), ak("b"))), "key:LTAI-b"
    ),
    "an empty variable": (chosen({"ALIBABA_CLOUD_PROFILE": ""}, config(ak("a"))), "key:LTAI-a"),
    "the default of the ini file": (chosen(file=ini(default=INI_KEY)), "key:LTAI-ini"),
    "a section of the ini file": (
        chosen({"ALIBABA_CLOUD_PROFILE": "x"}, file=ini(default={}, x=INI_KEY)), "key:LTAI-ini"
    ),
    "the command line's file is first": (
        chosen(cli=config(ak("a")), file=ini(default=INI_KEY)), "key:LTAI-a"
    ),
    "the command line's file is disabled": (
        chosen({"ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "TRUE"}, config(ak("a")),
               ini(default=INI_KEY)), "key:LTAI-ini"
    ),
    "a profile that is not there": (
        chosen(cli=config(ak("a"), current="z"), file=ini(default=INI_KEY)), "key:LTAI-ini"
    ),
    "half a key": (
        chosen(cli=config(ak("a", access_key_secret="")), file=ini(default=INI_KEY)),
        "key:LTAI-ini",
    ),
    "OIDC is before all files": (chosen(OIDC, config(ak("a"))), f"oidc_role_arn:{ROLE_ARN}"),
    "a part of OIDC is none": (
        chosen({**OIDC, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": ""}, config(ak("a"))), "key:LTAI-a"
    ),
    "a role of a profile": (
        chosen(cli=config(ak("a", mode="RamRoleArn", ram_role_arn=ROLE_ARN))),
        f"cli_profile:{ROLE_ARN}",
    ),
    "a role of the ini file": (
        chosen(file=ini(default={"type": "ram_role_arn", "role_arn": ROLE_ARN + " # mine"})),
        f"profile:{ROLE_ARN}",
    ),
    "temporary credentials of a profile": (
        chosen(cli=config(STS_PROFILE)), f"cli_profile:{CLI}#a"
    ),
    "an account of CloudSSO": (
        chosen(cli=config({"name": "a", "mode": "CloudSSO", "cloud_sso_account_id": "1",
                           "cloud_sso_access_config": "ac"})),
        f"cli_profile:{CLI}#a:1/ac",
    ),
    "an ECS role of a profile": (
        chosen(cli=config({"name": "a", "mode": "EcsRamRole", "ram_role_name": "r"})),
        f"cli_profile:{CLI}#a:r",
    ),
    "a program": (
        chosen(NO_ECS, config({"name": "a", "mode": "External", "process_command": "x"})),
        f"chain:cli_profile:{CLI}#a",
    ),
    "a mode of a later version": (
        chosen(NO_ECS, config({"name": "a", "mode": "New"})), f"chain:cli_profile:{CLI}#a"
    ),
    "nothing, perhaps on ECS": (chosen(), "chain:ecs_ram_role:"),
    "a named ECS role": (
        chosen({"ALIBABA_CLOUD_ECS_METADATA": "r"}), "chain:ecs_ram_role:r"
    ),
    "perhaps ECS, or an address": (
        chosen({"ALIBABA_CLOUD_CREDENTIALS_URI": "http://h:1/x?token=t"}),
        "chain:ecs_ram_role: credential_uri:h:1/x",
    ),
    "an address": (
        chosen({**NO_ECS, "ALIBABA_CLOUD_CREDENTIALS_URI": "http://u:p@h/x"}),
        "credential_uri:h/x",
    ),
    "nothing at all": (chosen(NO_ECS), "chain:"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_choice_of_the_chain(case: str) -> None:
    selection, expected = CASES[case]

    assert selection.expected == expected


UNUSABLE = ["", "{", "[]", "null", "1", '"x"', '{"profiles": 1}', '{"current": "a"}',
            '{"current": ["a"], "profiles": [1]}', '{"current": "a", "profiles": ["a"]}',
            "[" * 100_000, "\x00", "[default", "[default]\ntype = %(x)s"]  # fmt: skip


@pytest.mark.parametrize("text", UNUSABLE)
def test_a_file_that_cannot_be_used_is_passed_over(text: str) -> None:
    assert chosen(cli=text, file=ini(default=INI_KEY)).expected == "key:LTAI-ini"
    assert chosen(NO_ECS, cli=text, file=text).expected == "chain:"


@given(text=st.text(max_size=200), other=st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["current", "profiles", "name", "mode", "access_key_id"]), inner,
        max_size=4), max_leaves=12))  # fmt: skip
def test_no_file_is_an_error(text: str, other: Any) -> None:
    assert chosen(cli=text, file=text).expected
    assert chosen(cli=json.dumps(other)).expected


def test_a_file_that_is_too_long_leaves_the_choice_to_the_chain() -> None:
    def read(path: str) -> str | None:
        raise ValueError(path)

    selection = select({"HOME": HOME, **NO_ECS}, read)

    assert is_undecided(selection.expected)
    assert CLI in selection.expected


def test_only_regular_files_of_a_sane_size_are_read(tmp_path: Path) -> None:
    file, link, fifo, folder = (tmp_path / name for name in ("file", "link", "fifo", "folder"))
    file.write_text("text")
    link.symlink_to(file)
    os.mkfifo(fifo)
    folder.mkdir()

    assert read_config(str(file)) == read_config(str(link)) == "text"
    assert [read_config(str(one)) for one in (fifo, folder, tmp_path / "none")] == [None] * 3
    assert read_config("/dev/zero") is None
    os.truncate(file, 2 << 30)
    with pytest.raises(ValueError, match="more than"):
        read_config(str(file))


# The account of credentials that were found

PERMANENT = Credentials("LTAI-a", "s", None, "chain", "default/cli_profile/static_ak")


def temporary(provider: str) -> Credentials:
    return Credentials("STS.1", "s", "token", "chain", provider)


def test_a_permanent_key_is_the_same_destination_whatever_its_source() -> None:
    by_file = chosen(cli=config(ak("a")))
    account = Account.of_chain(PERMANENT, by_file)

    assert account.destination == by_file.expected == "key:LTAI-a"
    for source in ("environment", "options"):
        key = Credentials("LTAI-a", "s", None, source)
        assert given_destination(key, {"ALIBABA_CLOUD_PROFILE": "x"}) == "key:LTAI-a"


@pytest.mark.parametrize(
    ("credentials", "selection", "destination"),
    [
        (temporary("default/oidc_role_arn"), chosen(OIDC), f"oidc_role_arn:{ROLE_ARN}"),
        (temporary("default/ecs_ram_role"), chosen(OIDC), "ecs_ram_role:"),
        (temporary("default/cli_profile/static_sts"), chosen(cli=config(STS_PROFILE)),
         f"cli_profile:{CLI}#a"),
        (temporary("default/ecs_ram_role"), chosen(), "ecs_ram_role:"),
        (temporary(""), chosen(), "ecs_ram_role:"),
        (temporary(""), chosen(OIDC), f"oidc_role_arn:{ROLE_ARN}"),
        (temporary("default/later"), chosen(OIDC), "later:"),
        (temporary("default/cli_profile/static_sts"), chosen(cli=config(ak("a"))),
         "cli_profile:"),
    ],
)  # fmt: skip
def test_the_destination_of_temporary_credentials_names_provider_and_role(
    credentials: Credentials, selection: Selection, destination: str
) -> None:
    assert Account.of_chain(credentials, selection).destination == destination


def test_a_chain_that_falls_back_is_another_account() -> None:
    selection = chosen(OIDC, config(ak("a")))

    for found in (PERMANENT, temporary("default/ecs_ram_role")):
        assert selection.expected not in Account.of_chain(found, selection).accepted


def test_an_undecided_run_is_delivered_only_by_the_same_choice() -> None:
    program = {"name": "a", "mode": "External", "process_command": "x"}
    one, two = (chosen(cli=config({**program, "name": name}, current=name)) for name in "ab")
    by_one, by_two = (Account.of_chain(PERMANENT, selection) for selection in (one, two))

    assert one.expected in by_one.accepted
    assert one.expected not in by_two.accepted


def test_destinations_of_the_old_version_stay_readable() -> None:
    sts = Credentials("STS.1", "s", "t", "environment")

    assert given_destination(sts, {}) == "source:environment"
    assert OLD_CHAIN in Account.of_chain(PERMANENT, chosen()).accepted
    assert OLD_CHAIN not in Account.of_given("key:LTAI-a").accepted


def test_temporary_credentials_of_the_environment_are_known_by_role_and_profile() -> None:
    named = [
        {},
        {"ALIBABA_CLOUD_ROLE_ARN": "r"},
        {"ALIBABA_CLOUD_ROLE_ARN": "other"},
        {"ALIBABA_CLOUD_PROFILE": "r"},
        {"ALIBABA_CLOUD_PROFILE": "r", "ALIBABA_CLOUD_ROLE_ARN": "r"},
    ]
    found = {
        given_destination(Credentials(key_id, "s", "t", "environment"), environ)
        for environ in named
        for key_id in ("STS.1", "STS.2")
    }

    assert len(found) == len(named), "the id changes with each token"


def test_no_secret_and_no_whole_id_is_shown() -> None:
    assert shown_destination("key:LTAI5tExampleABCD") == "AccessKey LTAI...ABCD"
    assert shown_destination("key:perhaps-the-secret") == "AccessKey given"
    assert shown_destination("chain:ecs_ram_role:") == "ecs_ram_role:"


# Against alibabacloud-credentials itself

# The package reads variables while it is imported, so a fork imports it for each environment.
# What takes long, its libraries, is imported once.
_ASK = """
import json, logging, os, sys
import Tea.core
logging.disable(logging.CRITICAL)
for environ in json.load(sys.stdin):
    if os.fork() == 0:
        os.environ.clear()
        os.environ.update(environ)
        from alibabacloud_credentials.provider import DefaultCredentialsProvider
        try:
            found = DefaultCredentialsProvider().get_credentials()
            answer = [found.get_access_key_id(), found.get_security_token(),
                      found.get_provider_name()]
        except Exception:
            answer = None
        print(json.dumps(answer), flush=True)
        os._exit(0)
    os.wait()
"""
REAL: dict[str, tuple[dict[str, str], str, str]] = {
    "current": ({}, config(ak("b"), ak("a")), ini(default=INI_KEY)),
    "variable": ({"ALIBABA_CLOUD_PROFILE": "b"}, config(ak("a"), ak("b")), ""),
    "no such profile": ({}, config(ak("a"), current="z"), ini(default=INI_KEY)),
    "half a key": ({}, config(ak("a", access_key_secret="")), ini(default=INI_KEY)),
    "unusable": ({}, "[1]", ini(other={"x": "1"}, default=INI_KEY)),
    "interpolation": ({}, "", ini(other={"x": "%(y)s"}, default=INI_KEY)),
    "disabled": ({"ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true"}, config(ak("a")),
                 ini(default=INI_KEY)),
    "empty variable": ({"ALIBABA_CLOUD_PROFILE": ""}, "", ini(default=INI_KEY)),
    "token": ({}, config(STS_PROFILE), ""),
    "comment": ({}, "", ini(default={**INI_KEY, "access_key_id": "LTAI-x # mine"})),
    "nothing": ({}, "{}", "[default]"),
}  # fmt: skip


@pytest.mark.skipif(
    not find_spec("alibabacloud_credentials"), reason="needs alibabacloud-credentials"
)
def test_the_choice_is_that_of_the_package_itself(tmp_path: Path) -> None:
    environments = []
    for number, (environ, cli, file) in enumerate(REAL.values()):
        home = tmp_path / str(number)
        for folder, name, text in ((".aliyun", "config.json", cli),
                                   (".alibabacloud", "credentials.ini", file)):  # fmt: skip
            (home / folder).mkdir(parents=True)
            (home / folder / name).write_text(text)
        environments.append({"HOME": str(home), **NO_ECS, **environ})
    asked = subprocess.run(
        [sys.executable, "-c", _ASK], env={"PATH": os.environ["PATH"]}, cwd="/",
        input=json.dumps(environments), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    answers = [json.loads(line) for line in asked.stdout.splitlines()]

    for case, env, answer in zip(REAL, environments, answers, strict=True):
        selection = select(env)
        if answer is None:
            assert selection.choices == (), case
            continue
        found = Credentials(answer[0], "s", answer[1], "chain", answer[2])
        assert Account.of_chain(found, selection).destination == selection.expected, case
