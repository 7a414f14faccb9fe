# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Cloud Monitor endpoint on loopback, to test playbooks without an account.

It verifies every request for custom events as the service documents it (headers, digest, date,
signature, security token, JSON, limits), answers like the service, and can be told to misbehave. It
needs Python 3.8+ and nothing else, and shares no code with the client, so each checks the other.
At the same port it answers the calls of the OpenAPI that read events back and write alert rules.

On the command line:

    export RECEIVER_ACCESS_KEY_ID=demo RECEIVER_ACCESS_KEY_SECRET=secret
    python cloudmonitor_receiver.py --events events.jsonl --fault throttle --fault 'status=503*2'

In a test, with this folder on the module path:

    from cloudmonitor_receiver import Credential, Receiver

    with Receiver([Credential("demo", "secret")], faults=["reset", "ok*2", "hang"]) as receiver:
        ...  # report to receiver.url
        receiver.wait_for(3, deadline=10)
        assert receiver.events[0]["name"] == "deployment-start"
"""

from __future__ import annotations

import argparse
import math
import os
import select
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Iterator, Mapping, Sequence

from receiver.faults import FaultError, fault_help, parse_fault
from receiver.openapi import Objects
from receiver.server import Receiver, loopback_address
from receiver.types import Credential

__all__ = ["Credential", "FaultError", "Objects", "Receiver", "main"]

_ENVIRONMENT = """\
environment:
  RECEIVER_ACCESS_KEY_ID       the access key that is accepted (required)
  RECEIVER_ACCESS_KEY_SECRET   its secret (required)
  RECEIVER_SECURITY_TOKEN      its token, when it is a temporary (STS) key

faults, as NAME[=ARG][*COUNT]:
  The faults are a queue: each request takes the next one; COUNT ("inf": for ever) says for
  how many requests in a row it holds. When the queue is empty, requests are treated well.
  Events are accepted, and recorded, only where it says "accept", before the answer is sent;
  after truncate and accept-then-close the client cannot know that they were.

%s

control:
  GET /control/state shows the counts and the faults that are left; POST /control/faults with
  a JSON list of specifications replaces them. Neither takes a fault or counts as a request.
"""

_POLL_SECONDS = 0.2
_MAX_SECONDS = 1e9


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run a receiver until a signal, the end of its life or of its parent process.

    :param argv: the arguments, by default those of the process.
    :param environ: the environment that the access key comes from, by default the process's.
    :returns: 0, the exit status.
    :raises SystemExit: 2 when an argument is wrong or the port is taken, with the reason on stderr.
    """
    environ = os.environ if environ is None else environ
    parent = os.getppid()
    parser = _parser()
    args = parser.parse_args(argv)
    if args.tls_key and not args.tls_cert:
        parser.error("--tls-key needs --tls-cert")
    credential = _credential(parser, environ)
    stop_signals = _StopSignals()
    try:
        with _receiver(args, credential) as receiver, _port_file(args.port_file, receiver.port):
            print("listening on " + receiver.url, flush=True)
            if not stop_signals.wait(args.lifetime, parent if args.exit_with_parent else None):
                print(f"stopped after {args.lifetime:g} s (--lifetime)", flush=True)
    except (OSError, OverflowError) as error:
        # A port that is taken or is none, a file that cannot be used.
        parser.error(str(error))
    return 0


def _receiver(args: argparse.Namespace, credential: Credential) -> Receiver:
    return Receiver(
        [credential],
        faults=args.fault,
        rate=args.rate,
        host=args.host,
        port=args.port,
        date_window=args.date_window,
        clock_offset=args.clock_offset,
        events_file=args.events,
        requests_file=args.requests,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        objects=Objects(args.contact_group, dict(args.group), args.visible_after),
        call_faults=args.call_fault,
    )


@contextmanager
def _port_file(path: str | None, port: int) -> Iterator[None]:
    """Keep the port in a file; a reader finds either no file or all of it."""
    if path is None:
        yield
        return
    target = Path(path)
    fd, name = tempfile.mkstemp(dir=target.parent, prefix=".port-")
    with os.fdopen(fd, "w", encoding="ascii") as stream:
        stream.write(f"{port}\n")
    Path(name).replace(target)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            target.unlink()


class _StopSignals:
    """SIGTERM and SIGINT as something to wait for together with the other reasons to stop."""

    def __init__(self) -> None:
        self._wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        self._came = False
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True

    def wait(self, seconds: float, parent: int | None) -> bool:
        """Return at a signal, after ``seconds``, or when ``parent`` is not the parent any more.

        False when the time was up.
        """
        end = time.monotonic() + seconds
        while not self._came and time.monotonic() < end:
            if parent is not None and os.getppid() != parent:
                return True
            left = max(0.0, end - time.monotonic())
            select.select([self._wakeup], [], [], min(_POLL_SECONDS, left))
        return self._came


def _credential(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> Credential:
    names = ("RECEIVER_ACCESS_KEY_ID", "RECEIVER_ACCESS_KEY_SECRET")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        parser.error(f"set {' and '.join(missing)} in the environment")
    token = environ.get("RECEIVER_SECURITY_TOKEN") or None
    return Credential(environ[names[0]], environ[names[1]], token)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A Cloud Monitor endpoint on loopback that verifies requests, or misbehaves.",
        epilog=_ENVIRONMENT % fault_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", type=_host, default="127.0.0.1", help="loopback address (default: %(default)s)")
    add("--port", type=int, default=0, help="0, the default, takes any free port")
    add("--port-file", metavar="FILE", help="the port is in it once the receiver listens")
    add("--events", metavar="FILE", help="append accepted events, one a line, as JSON")
    add("--requests", metavar="FILE", help="append every request, one a line, as JSON")
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="SPEC",
        help="see below; repeatable",
    )
    add("--rate", type=_count, metavar="N", help="refuse more than N requests in any second")
    add(
        "--date-window",
        type=_seconds,
        default=900.0,
        metavar="S",
        help="seconds that a Date header may be off (default: %(default)g)",
    )
    add(
        "--clock-offset",
        type=_offset,
        default=0.0,
        metavar="S",
        help="seconds that the receiver's clock is wrong, ahead or (negative) behind",
    )
    add(
        "--lifetime",
        type=_seconds,
        default=3600.0,
        metavar="S",
        help="stop after so many seconds (default: %(default)g)",
    )
    _add_call_options(parser)
    add("--exit-with-parent", action="store_true", help="stop when the parent process is gone")
    add("--tls-cert", metavar="FILE", help="serve https with this certificate chain (PEM)")
    add("--tls-key", metavar="FILE", help="its private key, when it is not in the same file")
    return parser


def _add_call_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for calls of the OpenAPI."""
    add = parser.add_argument
    add(
        "--call-fault",
        type=_fault,
        action="append",
        default=[],
        metavar="SPEC",
        help="the same for calls of the OpenAPI, which have a separate queue; repeatable",
    )
    add(
        "--contact-group",
        action="append",
        default=[],
        metavar="NAME",
        help="a contact group that exists, for alert rules; repeatable",
    )
    add(
        "--group",
        type=_group,
        action="append",
        default=[],
        metavar="ID=NAME",
        help="an application group that exists, for alert rules; repeatable",
    )
    add(
        "--visible-after",
        type=_offset,
        default=0.0,
        metavar="S",
        help="seconds until an accepted event can be read back (default: %(default)g)",
    )


def _host(text: str) -> str:
    try:
        return loopback_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fault(text: str) -> str:
    try:
        parse_fault(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _group(text: str) -> tuple[int, str]:
    number, equals, name = text.partition("=")
    if not (number.isascii() and number.isdigit() and int(number) > 0 and equals and name):
        raise argparse.ArgumentTypeError(f"{text} is not like 4711=shop")
    return int(number), name


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0.0 < value < _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds over 0")
    return value


def _offset(text: str) -> float:
    value = _number(text)
    if not abs(value) < _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return value


def _number(text: str) -> float:
    """Return a number, or the one that no comparison holds for."""
    try:
        return float(text)
    except ValueError:
        return math.nan


if __name__ == "__main__":
    sys.exit(main())
