# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns Python warnings about our lines into errors, in each Python that finds this file first.

PYTHONWARNINGS would need a filter for each file, which costs each Python a tenth of its start.
"""

import warnings

# The second name is that of most files in a run, see code_cache.py.
_OURS = r"(ansible_collections\.aliops\.cloudmonitor\.plugins|aliops_cloudmonitor_plugins)\."

warnings.filterwarnings("error", module=_OURS)
