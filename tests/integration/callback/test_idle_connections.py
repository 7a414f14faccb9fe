# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall that drops idle connections, and runs that are longer than its patience."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
    say,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.test_faults import (
    ANSIBLE_SECONDS,
    CONTAINED,
    IN_A_PID_NAMESPACE,
    LONG,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import ansible_playbook

SILENCE = 3.0


class Firewall:
    """Forwards connections to a port, until one of them was silent for ``silence`` seconds.

    It then answers the next packet with a reset, or (``drops``) with nothing.
    """

    def __init__(self, port: int, silence: float, drops: bool) -> None:
        self._port = port
        self._silence = silence
        self._drops = drops
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = 0
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="firewall")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(0.05)
        while not self._over.is_set():
            with suppress(TimeoutError):
                client, _peer = self._listener.accept()
                self.connections += 1
                self._start(self._forward, client)

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            client.settimeout(0.02)
            server.settimeout(0.02)
            spoken = time.monotonic()
            while not self._over.is_set():
                for source, target in ((client, server), (server, client)):
                    with suppress(TimeoutError):
                        data = source.recv(65536)
                        if not data:
                            return
                        if time.monotonic() - spoken >= self._silence:
                            self._cut(client)
                            return
                        target.sendall(data)
                        spoken = time.monotonic()

    def _cut(self, client: socket.socket) -> None:
        self.cut += 1
        if self._drops:
            self._over.wait()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def stop(self) -> None:
        """End everything."""
        self._over.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()


@contextmanager
def firewall(port: int, silence: float, drops: bool) -> Iterator[Firewall]:
    running = Firewall(port, silence, drops)
    try:
        yield running
    finally:
        running.stop()


CONTAINER = pytest.param(
    IN_A_PID_NAMESPACE,
    False,
    marks=pytest.mark.skipif(not CONTAINED, reason="unshare --pid is not permitted here"),
)


@pytest.mark.parametrize(
    ("command", "drops"),
    [((), False), ((), True), CONTAINER],
    ids=["reset", "dropped", "container"],
)
def test_the_finish_arrives_in_time_after_an_idle_connection_was_cut(
    project: Project, command: tuple[str, ...], drops: bool
) -> None:
    project.write("site.yml", [play(project.wait_task(), hosts="h1")])
    with firewall(int(project.receiver.url.rpartition(":")[2]), SILENCE, drops) as between:
        run = project.command(
            *command,
            ansible_playbook(),
            "site.yml",
            CLOUDMONITOR_ENDPOINT=f"http://127.0.0.1:{between.port}",
            CLOUDMONITOR_FLUSH_TIMEOUT=LONG,
        )
        until(lambda: project.receiver.events, "the start")
        delivered = time.monotonic()
        # The run is longer than the firewall's patience, and than any connection may be idle.
        until(lambda: time.monotonic() - delivered > SILENCE + 0.5, "an idle connection")
        project.release()
        ended = run.ended()

        assert (ended.rc, ended.warnings) == (0, []), ended.output
        assert [event["event"] for event in project.events()] == [START, FINISH]
        assert (between.cut, between.connections) == (0, 2)
        assert ended.seconds < SILENCE + ANSIBLE_SECONDS
        project.settled()


def test_a_connection_that_is_reset_although_it_was_not_idle_for_long_delays_nothing(
    project: Project,
) -> None:
    with firewall(int(project.receiver.url.rpartition(":")[2]), 0.05, drops=False) as between:
        ended = project.run(
            [play(say(), hosts="h1")],
            CLOUDMONITOR_ENDPOINT=f"http://127.0.0.1:{between.port}",
            CLOUDMONITOR_FLUSH_TIMEOUT=LONG,
        )
        assert (ended.rc, ended.warnings) == (0, []), ended.output
        assert [event["event"] for event in project.events()] == [START, FINISH]
        project.settled()
