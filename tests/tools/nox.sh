#!/bin/sh
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finds a Python that works (a pyenv shim may only print an error) and has venv and pip, then runs
# nox with it. The newest Python that ansible-core supports is preferred.
set -eu

works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
for name in python3.13 "$pyenv"/3.13*/bin/python3.13 \
            python3.12 "$pyenv"/3.12*/bin/python3.12 \
            python3.11 "$pyenv"/3.11*/bin/python3.11 python3; do
    if works "$name"; then
        # -B: nothing is written beside the scripts.
        exec "$name" -B -X utf8 "$(dirname -- "$0")/run_nox.py" "$@"
    fi
done
echo 'Python 3.11 or newer with venv and pip was not found (on Debian: apt install python3-venv).' >&2
exit 1
