# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON and CSV contain what the query found, and spreadsheets find no formulas."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.formats import (
    COLUMNS,
    as_csv,
    as_json,
    harmless,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import (
    report_samples as samples,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    finish,
    invented,
)

NOW = samples.NOW


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_json_is_the_answer() -> None:
    answer = samples.answer(invented(50, NOW), [samples.start(5, name="雪")])
    text = as_json(answer, NOW, "/outbox")
    found = json.loads(text)

    assert found.pop("schema") == "deployment-report/1"
    assert found.pop("created_at") == found.pop("until") == "2026-11-26T00:00:00.000Z"
    assert found.pop("since") == "2026-08-28T00:00:00.000Z"
    assert found.pop("source") == "/outbox"
    assert found == {name: getattr(answer, name) for name in found}
    assert len(found["deployments"]) == 50
    assert "雪" in text


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), min_size=1))
def test_csv_can_be_read_back(version: str, job: str, details: dict[str, str]) -> None:
    line = finish("a", NOW - 1, version=version, ci={"job": job}, details=details, check_mode=True)
    (row,) = rows(as_csv(samples.answer([line])))

    assert list(row) == list(COLUMNS)
    assert row["version"].removeprefix("'" if harmless(version) != version else "") == version
    assert row["ci_job"].removeprefix("'" if harmless(job) != job else "") == job
    assert json.loads(row["details"]) == details
    assert (row["duration_s"], row["check_mode"], row["reason"]) == ("60.0", "true", "")
    for cell in row.values():
        assert cell[:1] not in tuple("=+-@\t\r\n＝＋－＠")


def test_csv_is_that_of_rfc_4180() -> None:
    text = as_csv(samples.answer([finish("a", NOW - 1, version='1,"2"\n3', user="-1+cmd|' /C'")]))

    assert text.startswith("\ufeffid,parent,by,name,")
    assert text.count("\r\n") == 2
    assert '"1,""2""\n3"' in text
    assert ",'-1+cmd|' /C'," in text
    assert rows(as_csv(samples.answer([]))) == []
