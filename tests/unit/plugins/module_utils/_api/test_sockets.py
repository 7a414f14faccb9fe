# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watched sockets end at the deadline; the tests of the transport try it with real servers."""

from __future__ import annotations

import io
import os
import socket
import threading

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.sockets import (
    ANSWER_LIMIT,
    SocketWatch,
)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_read_that_waits_ends_when_the_watch_expires() -> None:
    watch = SocketWatch()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch.add(ours)
        reader = threading.Thread(target=ours.recv, args=(1,))
        reader.start()
        watch.expire()
        reader.join(10)

        assert not reader.is_alive()
        with pytest.raises(TimeoutError):
            watch.add(theirs)
    watch.end()


def test_the_end_of_an_attempt_leaves_no_descriptor() -> None:
    before = _descriptors()
    watch = SocketWatch()
    ours, theirs = socket.socketpair()
    watch.add(ours)
    watch.close_on_failure(ours)
    watch.end(failed=True)
    theirs.close()

    assert ours.fileno() == -1
    assert _descriptors() == before


def test_a_connection_stays_open_after_an_attempt_without_failure() -> None:
    watch = SocketWatch()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch.add(ours)
        watch.close_on_failure(ours)
        watch.end()
        theirs.send(b"x")

        assert ours.recv(1) == b"x"


def test_connecting_tries_every_address_of_a_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch = SocketWatch()
        with watch.connect("localhost", server.getsockname()[1], 5.0, ()) as found:
            assert found.getpeername()[0] == "127.0.0.1"
        watch.end(failed=True)


def test_an_answer_without_an_end_is_cut_off() -> None:
    watch = SocketWatch()
    reader = watch.reader(io.FileIO("/dev/zero"))

    with pytest.raises(OSError, match="too long"):
        reader.read(2 * ANSWER_LIMIT)
    assert watch.received
    watch.end(failed=True)
