# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the process of a courier, with the surroundings of the controller. No network.

The courier sees what the controller sees. It imports from the controller's ``sys.path``, because
a wrapper (Nix, PEX, a script with ``site.addsitedir``) may have extended it. It runs in ``/``, so
every relative path that it is given is made absolute.

The process is the first thing that a run starts, because its imports take the longest. This file
imports only what Ansible has imported already.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping

# The variables that the courier gets: where proxies, certificates, Python's packages and the
# default chain of alibabacloud-credentials look. The AccessKey is not among them, because it is
# sent over standard input.
_VARIABLES = (
    "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONUTF8", "PYTHONPLATLIBDIR",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "ALIBABA_CLOUD_PROFILE",
    "ALIBABA_CLOUD_ECS_METADATA", "ALIBABA_CLOUD_ECS_METADATA_DISABLED",
    "ALIBABA_CLOUD_IMDSV1_DISABLED", "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_ROLE_SESSION_NAME", "ALIBABA_CLOUD_STS_REGION",
    "ALIBABA_CLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CLI_PROFILE_DISABLED",
    "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED",
)  # fmt: skip
# Each names one file or directory. alibabacloud-credentials 1.0.12 does not expand a "~" in them.
_PATH_VARIABLES = (
    "HOME", "HOMEPATH", "TMPDIR", "VIRTUAL_ENV", "PYTHONUSERBASE",
    "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_CONFIG_FILE", "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
    "SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
# Each is a list of paths. An empty entry would mean the courier's own directory.
_PATH_LIST_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SSL_CERT_DIR")

# The settings fit into the buffer of the socket, unless they are far longer than usual.
_HAND_OVER_SECONDS = 5.0
# A killed process is gone at once, unless the kernel waits for a disk that does not answer.
_LAST_SECONDS = 1.0


class CourierProcess:
    """A courier that has been started.

    It imports its code while its settings are made, and begins to work when it is given them.
    ``process`` is the process, with its standard output if ``stdout`` was a pipe.
    """

    def __init__(self, outbox: str | None, stdout: int = subprocess.DEVNULL) -> None:
        """``outbox``: the directory with the compiled code, None for none. Raises OSError."""
        directory = working_directory()
        self._connection, remote = socket.socketpair()
        try:
            with remote:
                self.process = _start(remote, stdout, directory)
        except BaseException:
            self._connection.close()
            raise
        with self._or_dismiss():
            self._connection.settimeout(_HAND_OVER_SECONDS)
            self._send(
                {
                    "import_path": courier_import_path(sys.path, directory, _script_folder()),
                    "outbox": None if outbox is None else absolute(outbox, directory),
                }
            )

    def hand_over(self, settings: Mapping[str, object], lock: int | None = None) -> None:
        """Give the process its settings and a copy of the file descriptor ``lock``.

        Afterwards it depends on nothing of this process. Raises OSError if it does not take them.
        """
        with self._or_dismiss():
            self._send(settings, () if lock is None else (lock,))
            self._connection.close()

    def dismiss(self) -> None:
        """End the process, unless it has been given its settings."""
        if self._connection.fileno() < 0:
            return
        self._connection.close()
        self.process.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_LAST_SECONDS)
        self.abandon()

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def wake(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it has not ended."""
        if self.is_alive:
            with contextlib.suppress(OSError):
                os.kill(self.process.pid, number)

    def abandon(self) -> None:
        """Part with the process without Python's warning about one that still runs."""
        if self.process.returncode is None:
            self.process.returncode = 0

    @contextlib.contextmanager
    def _or_dismiss(self) -> Iterator[None]:
        """End the process if anything goes wrong here, also Ctrl-C."""
        try:
            yield
        except BaseException:
            self.dismiss()
            raise

    def _send(self, message: Mapping[str, object], descriptors: tuple[int, ...] = ()) -> None:
        """Send one line. If the process has died, the outbox keeps everything."""
        data = json.dumps(message).encode("ascii") + b"\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if descriptors:
                data = data[socket.send_fds(self._connection, [data], descriptors) :]
            self._connection.sendall(data)


@contextlib.contextmanager
def early_courier(outbox: str, is_wanted: bool = True) -> Iterator[CourierProcess | None]:
    """Provide a courier that has been started, None if that failed or is not wanted.

    It ends with the context, unless it has been given its settings.
    """
    courier = None
    with contextlib.suppress(Exception):  # the reporter tries it again, and says why it failed
        courier = CourierProcess(outbox) if is_wanted else None
    try:
        yield courier
    finally:
        if courier is not None:
            courier.dismiss()


def courier_environment(environ: Mapping[str, str], directory: str) -> dict[str, str]:
    """Return the part of the environment that the courier gets.

    ``directory``: where Ansible was started. Relative paths are made absolute from there.
    """
    env = {name: environ[name] for name in _VARIABLES if name in environ}
    for name in _PATH_VARIABLES:
        if environ.get(name):
            env[name] = absolute(environ[name], directory)
    for name in _PATH_LIST_VARIABLES:
        folders = [entry for entry in environ.get(name, "").split(os.pathsep) if entry]
        if folders:
            env[name] = os.pathsep.join(absolute(entry, directory) for entry in folders)
    return env


def courier_import_path(
    entries: Iterable[object], directory: str, script_folder: str | None
) -> tuple[str, ...]:
    """Return the controller's ``sys.path`` for use in another directory.

    The folder in which Ansible was started and that of its script come last: a user's ``json.py``
    there must not replace a module that the courier needs. A package that lies nowhere else is
    still found.
    """
    user_folders = {os.path.normpath(folder) for folder in (directory, script_folder) if folder}
    first: list[str] = []
    last: list[str] = []
    for entry in entries:
        if isinstance(entry, str):
            path = absolute(entry, directory)
            (last if os.path.normpath(path) in user_folders else first).append(path)
    return tuple(dict.fromkeys([*first, *last]))


def interpreter_options() -> list[str]:
    """Return the command-line options that start Python as this process was started."""
    flags = sys.flags
    options = [
        option
        for option, is_set in (
            ("-I", flags.isolated),
            ("-E", flags.ignore_environment and not flags.isolated),
            ("-s", flags.no_user_site and not flags.isolated),
            ("-S", flags.no_site),
        )
        if is_set
    ]
    return [*options, "-X", "utf8"] if flags.utf8_mode else options


def working_directory() -> str:
    """Return the directory in which Ansible was started, ``/`` if it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def absolute(path: str, directory: str) -> str:
    """Return an absolute path. An empty one is the directory itself.

    It is not normalized: that would change the meaning of ".." after a symbolic link.
    """
    return os.path.join(directory, path)


def _start(stdin: socket.socket, stdout: int, directory: str) -> subprocess.Popen[bytes]:
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "courier_process.py")
    # The courier can react to SIGTERM once it has started; until then the signal waits.
    with _blocked(signal.SIGTERM):
        return subprocess.Popen(
            [sys.executable, *interpreter_options(), script],
            stdin=stdin.fileno(),
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            start_new_session=True,
            cwd="/",
            env=courier_environment(os.environ, directory),
        )


def _script_folder() -> str | None:
    """Return the folder that Python put into ``sys.path`` because the script is in it."""
    script = sys.argv[0] if sys.argv else ""
    return os.path.dirname(os.path.realpath(script)) if script not in ("", "-c", "-m") else None


@contextlib.contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Block a signal in this thread. A process that is started meanwhile inherits that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
