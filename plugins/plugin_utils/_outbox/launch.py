# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the courier: its settings, its surroundings and its process. No network.

The courier sees what the controller sees. It imports from the controller's ``sys.path``, because
a wrapper (Nix, PEX, a script with ``site.addsitedir``) may have extended it. It runs in ``/``, so
every relative path that it is given is made absolute here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials
from ...module_utils._api.frozen import frozen
from .history import DEFAULT_KEEP_DAYS
from .overdue import OverdueLimit

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

# Importing takes a second on a slow machine, and the default chain is given up after ten.
PROBE_SECONDS = 20.0


@frozen
class CourierSettings:
    """Everything that the courier is given, as one line of JSON over its standard input.

    ``credentials`` is None if the courier is to find them with the default chain of
    alibabacloud-credentials. ``ttl``: seconds until an undelivered event is given up.
    ``linger``: seconds for which delivery continues after Ansible has exited. ``flush_timeout``:
    seconds for which Ansible waits at the end of a run. ``overdue``: when the run is overdue,
    None for never. ``history_keep``: days for which the
    history is kept; 0 turns it off.

    The others are filled in by ``for_run`` and ``spawn``: the directory of the outbox, the name
    of the run's folder in it, the file descriptor of the folder's lock, the pid of Ansible, the
    directory in which Ansible was started, and its ``sys.path``. With ``self_test`` the courier
    delivers nothing; see ``probe``.
    """

    connection: Connection
    credentials: Credentials | None
    destination: str
    ttl: float
    linger: float
    flush_timeout: float
    overdue: OverdueLimit | None = None
    history_keep: float = DEFAULT_KEEP_DAYS
    outbox: str = ""
    folder: str = ""
    lock: int = -1
    parent: int = 0
    directory: str = "/"
    import_path: tuple[str, ...] = ()
    self_test: bool = False

    def for_run(self, outbox: Path, folder: str, lock: int) -> CourierSettings:
        """Return the settings of the courier of one run's folder."""
        return replace(self, outbox=str(outbox), folder=folder, lock=lock)

    def dump(self) -> str:
        """Return the settings as JSON in ASCII."""
        return json.dumps(asdict(self))

    @staticmethod
    def parse(text: str) -> CourierSettings:
        """Return the settings that ``dump`` wrote. Raises ValueError, LookupError or TypeError."""
        raw: Mapping[str, Any] = json.loads(text)
        key = raw["credentials"]
        return CourierSettings(
            **{
                **raw,
                "connection": Connection(**raw["connection"]),
                "credentials": Credentials(**key) if key else None,
                "overdue": OverdueLimit.parse(raw["overdue"]) if raw["overdue"] else None,
                "import_path": tuple(raw["import_path"]),
            }
        )


@frozen
class ProbeResult:
    """What a courier reported about itself.

    ``problem`` is None if it could deliver; otherwise it and ``advice`` are text for people, and
    ``option`` is the option that is wrong, None if there is no such option.
    ``access_key_id`` is the id of the AccessKey that it uses, None if it found none.
    ``credentials_source``: ``options``, ``environment`` or ``chain``. ``requests_version``: the
    version of requests that it imported. ``seconds``: the time that it took.
    """

    problem: str | None
    advice: str = ""
    option: str | None = None
    access_key_id: str | None = None
    credentials_source: str | None = None
    requests_version: str | None = None
    seconds: float = 0.0


def spawn(settings: CourierSettings) -> subprocess.Popen[bytes]:
    """Start the courier of a run. It inherits the lock and nothing else. Raises OSError."""
    return _start(settings, (settings.lock,), subprocess.DEVNULL)


def probe(settings: CourierSettings, seconds: float = PROBE_SECONDS) -> ProbeResult:
    """Start a courier that only tests itself, wait for it, and return what it reported.

    It starts as the courier of a run does. It imports everything, finds the AccessKey (with the
    default chain if ``settings.credentials`` is None), and opens the outbox, if ``settings.outbox``
    is not empty. It sends nothing and writes nothing. Takes at most about ``seconds``.
    """
    begin = time.monotonic()
    try:
        process = _start(replace(settings, self_test=True), (), subprocess.PIPE)
    except OSError as exc:
        return ProbeResult(f"the courier could not be started ({exc.strerror or exc})")
    with process:
        try:
            output, _nothing = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return ProbeResult(
                f"the courier did not report within {seconds:g} s",
                seconds=time.monotonic() - begin,
            )
    took = time.monotonic() - begin
    try:
        return replace(ProbeResult(**json.loads(output)), seconds=took)
    except (ValueError, TypeError):
        return ProbeResult(
            f"the courier ended with exit status {process.returncode} and no report",
            "Compare the Python and the packages that ansible-playbook uses with "
            f"{sys.executable}.",
            seconds=took,
        )


def courier_environment(environ: Mapping[str, str], directory: str) -> dict[str, str]:
    """Return the part of the environment that the courier gets.

    ``directory``: where Ansible was started. Relative paths are made absolute from there.
    """
    env = {name: environ[name] for name in _VARIABLES if name in environ}
    for name in _PATH_VARIABLES:
        if environ.get(name):
            env[name] = _absolute(environ[name], directory)
    for name in _PATH_LIST_VARIABLES:
        folders = [entry for entry in environ.get(name, "").split(os.pathsep) if entry]
        if folders:
            env[name] = os.pathsep.join(_absolute(entry, directory) for entry in folders)
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
            path = _absolute(entry, directory)
            (last if os.path.normpath(path) in user_folders else first).append(path)
    return tuple(dict.fromkeys([*first, *last]))


def report_to_probe(result: ProbeResult) -> None:
    """Send the result of a self-test to the process that waits for it in ``probe``."""
    sys.stdout.write(json.dumps(asdict(result)))
    sys.stdout.flush()


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


def _start(
    settings: CourierSettings, pass_fds: tuple[int, ...], stdout: int
) -> subprocess.Popen[bytes]:
    directory = _working_directory()
    complete = replace(
        settings,
        connection=_with_absolute_ca_path(settings.connection, directory),
        outbox=_absolute(settings.outbox, directory) if settings.outbox else "",
        parent=os.getpid(),
        directory=directory,
        import_path=courier_import_path(sys.path, directory, _script_folder()),
    )
    script = Path(__file__).absolute().with_name("courier_process.py")
    # The courier can react to SIGTERM once it has started; until then the signal waits.
    with _blocked(signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, *interpreter_options(), str(script)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            pass_fds=pass_fds,
            start_new_session=True,
            cwd="/",
            env=courier_environment(os.environ, directory),
        )
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # it has died already: the outbox keeps everything
            process.stdin.write(complete.dump().encode("ascii"))
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdin = None
    return process


def _working_directory() -> str:
    """Return the directory in which Ansible was started, ``/`` if it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def _script_folder() -> str | None:
    """Return the folder that Python put into ``sys.path`` because the script is in it."""
    script = sys.argv[0] if sys.argv else ""
    return os.path.dirname(os.path.realpath(script)) if script not in ("", "-c", "-m") else None


def _absolute(path: str, directory: str) -> str:
    """Return an absolute path. An empty one is the directory itself.

    It is not normalized: that would change the meaning of ".." after a symbolic link.
    """
    return os.path.join(directory, path)


def _with_absolute_ca_path(connection: Connection, directory: str) -> Connection:
    if not connection.ca_path:
        return connection
    return replace(connection, ca_path=_absolute(connection.ca_path, directory))


@contextlib.contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Block a signal in this thread. A process that is started meanwhile inherits that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
