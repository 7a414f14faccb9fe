# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets out of texts and results before anybody sees them."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

MASK = "********"

# A shorter "secret" would also hit ordinary words; real ones have 30 characters.
_SHORTEST = 4


class Redactor:
    """Replaces every known secret by ``********``, in texts and in nested values."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longest first, so that a secret that contains another one goes as a whole.
        self._secrets = sorted(
            {secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a copy of a JSON-like value without the secrets, in keys and in values."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value
