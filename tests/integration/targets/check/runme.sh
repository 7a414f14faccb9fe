#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The check on a machine that is set up, and on one whose secret is wrong.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh
play aliops.cloudmonitor.check "$@"
expect deployment-check

export ALIBABA_CLOUD_ACCESS_KEY_SECRET=not-the-secret
if play aliops.cloudmonitor.check "$@"; then
    exit 1
fi
expect
