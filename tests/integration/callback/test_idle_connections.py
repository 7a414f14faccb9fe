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

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
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

    It then answers the next packet with a reset.
    """

    def __init__(self, port: int, silence: float) -> None:
        self._port = port
        self.silence = silence
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
                        if time.monotonic() - spoken >= self.silence:
                            self._cut(client)
                            return
                        target.sendall(data)
                        spoken = time.monotonic()

    def _cut(self, client: socket.socket) -> None:
        self.cut += 1
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def stop(self) -> None:
        """End everything."""
        self._over.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()


@contextmanager
def firewall(port: int, silence: float) -> Iterator[Firewall]:
    running = Firewall(port, silence)
    try:
        yield running
    finally:
        running.stop()


def test_the_finish_arrives_in_time_after_a_pause_and_after_a_reset(project: Project) -> None:
    project.write("long.yml", [play(project.wait_task("long"), hosts="h1")])
    project.write("short.yml", [play(project.wait_task("short", "end"), hosts="h1")])
    with firewall(int(project.receiver.url.rpartition(":")[2]), SILENCE) as between:
        run = project.command(
            # Where it is permitted, the last courier ends with the run.
            *(IN_A_PID_NAMESPACE if CONTAINED else ()),
            ansible_playbook(),
            "long.yml",
            "short.yml",
            CLOUDMONITOR_ENDPOINT=f"http://127.0.0.1:{between.port}",
            CLOUDMONITOR_FLUSH_TIMEOUT=LONG,
        )
        until(lambda: project.receiver.events, "the start")
        # The run is longer than the firewall's patience, and than any connection may be idle.
        pause(SILENCE + 0.5)
        project.release()
        project.under_way("short")
        assert (between.cut, between.connections) == (0, 2)

        # A connection that was not idle for long is used again, and is cut.
        until(lambda: len(project.receiver.events) == 3, "the second start")
        between.silence = 0.05
        pause(0.2)
        project.release("end")
        ended = run.ended()

        assert (ended.rc, ended.warnings) == (0, []), ended.output
        assert [event["event"] for event in project.events()] == [START, FINISH] * 2
        assert between.cut == 1
        assert ended.seconds < SILENCE + ANSIBLE_SECONDS
        project.settled()


def pause(seconds: float) -> None:
    """Wait until a connection was idle for so long."""
    since = time.monotonic()
    until(lambda: time.monotonic() - since > seconds, "an idle connection")
