# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the callback's tests."""

from __future__ import annotations

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import project

__all__ = ["project"]
