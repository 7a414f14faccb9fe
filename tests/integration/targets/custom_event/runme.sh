#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One event, more than fit into a request, one from the host, and a wrong one, which stops all.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh
play test.yml "$@"
many=$(printf "many %.0s" {1..101})
# shellcheck disable=SC2086  # a word each
expect one $many from-the-host
