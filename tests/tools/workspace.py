# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the make targets keep what they make: a cache folder of the checkout, outside of it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

COLLECTION = Path("ansible_collections", "aliops", "cloudmonitor")


@dataclass(frozen=True)
class Workspace:
    """The checkout and its cache folder.

    The checkout is only read (except by "make format"): the tools work on a copy of it, so that
    they leave nothing behind, find no other build's rubbish, and do not mind where it lies.
    ansible-test wants such a copy anyway: a real folder .../ansible_collections/<namespace>/<name>.
    """

    checkout: Path
    cache: Path

    @classmethod
    def of(cls, checkout: Path) -> Workspace:
        """Return the workspace of a checkout, one for all symbolic links to it."""
        real = checkout.resolve()
        base = Path(os.environ.get("XDG_CACHE_HOME") or "")
        if not base.is_absolute():  # an unset or relative XDG_CACHE_HOME does not count
            base = Path.home() / ".cache"
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", real.name)[:20]
        digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:10]
        return cls(real, base / "aliops.cloudmonitor" / f"{name}-{digest}")

    @property
    def root(self) -> Path:
        """The folder to name in ANSIBLE_COLLECTIONS_PATH and PYTHONPATH."""
        return self.cache / "tree"

    @property
    def tree(self) -> Path:
        """The copy of the collection."""
        return self.root / COLLECTION

    def files(self) -> list[Path]:
        """Return the files that git tracks or would track, relative to the checkout."""
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.checkout,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        paths = {Path(os.fsdecode(name)) for name in listing.split(b"\0") if name}
        return sorted(path for path in paths if os.path.lexists(self.checkout / path))

    def copy_tree(self) -> None:
        """Make the copy of the collection anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        for path in self.files():
            target = self.tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.checkout / path, target, follow_symlinks=False)

    def fresh(self, name: str) -> Path:
        """Return an empty folder of this name in the cache folder."""
        path = self.cache / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def clean(self) -> None:
        """Remove the cache folder, and the folder of all checkouts when it was the last."""
        shutil.rmtree(self.cache, ignore_errors=True)
        with suppress(OSError):
            self.cache.parent.rmdir()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the cache folder: a second make in the same checkout waits for the first."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("waiting for another make in this checkout", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
