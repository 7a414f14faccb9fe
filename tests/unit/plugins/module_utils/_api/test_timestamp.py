# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times: every form that users write, and the one that goes over the wire."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.timestamp import (
    InvalidTime,
    iso_time,
    parse_epoch,
    wire_time,
)

WIRE = re.compile(r"\d{8}T\d{6}\.\d{3}[+-]\d{4}", re.ASCII)
SHANGHAI = timezone(timedelta(hours=8))


class LocalMeanTime(tzinfo):
    """An offset with seconds, as time zones had before they were standardised."""

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        return timedelta(hours=8, minutes=5, seconds=43)

    def dst(self, _moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _moment: datetime | None) -> str:
        return "LMT"


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("20171023T144439.948+0800", "20171023T144439.948+0800"),
        ("20171023T144439.948Z", "20171023T144439.948+0000"),
        ("20171023T144439", "20171023T144439.000+0000"),
        ("20171023T1444", "20171023T144400.000+0000"),
        ("2017-10-23T14:44:39+08:00", "20171023T144439.000+0800"),
        ("2017-10-23T14:44:39.948+08:00", "20171023T144439.948+0800"),
        ("2017-10-23T14:44:39,948+08", "20171023T144439.948+0800"),
        ("2017-10-23t14:44:39.9z", "20171023T144439.900+0000"),
        ("2017-10-23 14:44:39", "20171023T144439.000+0000"),
        ("2017-10-23 14:44:39 +0800", "20171023T144439.000+0800"),
        ("2017-10-23T14:44-03:30", "20171023T144400.000-0330"),
        ("2017-10-23T14:44:39.123456789Z", "20171023T144439.123+0000"),
        ("2017-10-23T14:44:39.999999Z", "20171023T144439.999+0000"),
        (" 2017-10-23T14:44:39Z\n", "20171023T144439.000+0000"),
        ("2024-02-29T00:00:00Z", "20240229T000000.000+0000"),
        ("0", "19700101T000000.000+0000"),
        (0, "19700101T000000.000+0000"),
        (1508741079, "20171023T064439.000+0000"),
        ("1508741079", "20171023T064439.000+0000"),
        (1508741079.948, "20171023T064439.948+0000"),
        ("1508741079.948", "20171023T064439.948+0000"),
        (1508741079948, "20171023T064439.948+0000"),
        ("1508741079948", "20171023T064439.948+0000"),
        (99_999_999_999, "51381116T094639.000+0000"),
        (100_000_000_000, "19730303T094640.000+0000"),
        (datetime(2017, 10, 23, 14, 44, 39, 948000), "20171023T144439.948+0000"),  # noqa: DTZ001
        (datetime(2017, 10, 23, 14, 44, 39, tzinfo=SHANGHAI), "20171023T144439.000+0800"),
    ],
)
def test_every_accepted_form_becomes_the_wire_form(value: Any, wire: str) -> None:
    assert wire_time(value) == wire


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2017-10-23",
        "14:44:39",
        "2017-13-01T00:00:00Z",
        "2017-02-29T00:00:00Z",
        "2017-10-23T24:00:00Z",
        "2017-10-23T14:60:00Z",
        "2017-10-23T14:44:60Z",
        "2017-1023T14:44:39Z",
        "2017-10-23T14:44:39+24:00",
        "2017-10-23T14:44:39+08:60",
        "2017-10-23T14:44:39 CST",
        "1969-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "-1",
        -1,
        10**16,
        10**5000,
        "1e9",
        "1508741079948000000",
        float("nan"),
        float("inf"),
        True,
        None,
        [],
        {"a": 1},
        b"1508741079",
        date(2017, 10, 23),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_what_is_no_time_is_said_to_be_none(value: Any) -> None:
    with pytest.raises(InvalidTime, match="epoch seconds or milliseconds"):
        wire_time(value)


def test_a_yaml_date_without_a_time_of_day_is_called_that() -> None:
    with pytest.raises(InvalidTime, match=r"the date 2017-10-23 without a time of day"):
        wire_time(date(2017, 10, 23))


def test_a_long_text_is_shown_in_short() -> None:
    with pytest.raises(InvalidTime) as caught:
        wire_time("x" * 10_000)

    assert str(caught.value).startswith(f"is '{'x' * 60}', which")
    assert len(str(caught.value)) < 300


def test_an_offset_with_seconds_keeps_the_moment() -> None:
    moment = datetime(1970, 6, 1, 12, 0, 0, tzinfo=LocalMeanTime())

    assert wire_time(moment) == "19700601T035417.000+0000"
    assert parse_epoch(wire_time(moment)) == moment.timestamp()


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001
    datetime(9998, 12, 30),  # noqa: DTZ001
    timezones=OFFSETS,
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


@given(moment=MOMENTS)
def test_the_wire_form_of_a_moment_is_that_moment(moment: datetime) -> None:
    wire = wire_time(moment)

    assert WIRE.fullmatch(wire)
    assert wire_time(wire) == wire
    assert datetime.strptime(wire, "%Y%m%dT%H%M%S.%f%z") == moment


@given(moment=MOMENTS)
def test_all_forms_of_a_moment_mean_the_same(moment: datetime) -> None:
    milliseconds = round(
        (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(0, 0, 1000)
    )
    forms: list[Any] = [moment, wire_time(moment), moment.isoformat(), moment.isoformat(" ")]
    if milliseconds >= 100_000_000_000:
        forms += [milliseconds, str(milliseconds)]

    assert {round(parse_epoch(form) * 1000) for form in forms} == {milliseconds}


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1508741079.999, "2017-10-23T06:44:39.999Z"),
        (1508741079.9996, "2017-10-23T06:44:40.000Z"),
    ],
)
def test_iso_time_is_rounded_to_milliseconds(epoch: float, text: str) -> None:
    assert iso_time(epoch) == text


@given(milliseconds=st.integers(0, 253_370_764_799_999))
def test_iso_time_is_utc_with_milliseconds_and_comes_back(milliseconds: int) -> None:
    text = iso_time(milliseconds / 1000)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text, re.ASCII)
    assert round(parse_epoch(text) * 1000) == milliseconds


@given(
    value=st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.none(),
        st.binary(),
        st.datetimes(),
        st.dates(),
        st.lists(st.integers()),
        st.from_regex(
            r"\A\d{4}-?\d\d-?\d\d[Tt ]\d\d:?\d\d(:?\d\d([.,]\d{1,9})?)? ?(Z|[+-]\d{2}:?\d\d)?\Z"
        ),
        st.from_regex(r"\A\d{1,20}(\.\d{1,12})?\Z"),
    )
)
def test_anything_is_a_time_or_an_invalid_time(value: Any) -> None:
    try:
        wire = wire_time(value)
    except InvalidTime as exc:
        assert str(exc).startswith("is ")  # noqa: PT017
    else:
        assert WIRE.fullmatch(wire)
