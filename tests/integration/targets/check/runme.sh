#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The check passes where everything works, with one event sent, and fails where something is wrong.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

play aliops.cloudmonitor.check -e cloudmonitor_check_receipt=true "$@"
expect deployment-check
said 'the test event was visible after'

status=0
ALIBABA_CLOUD_ACCESS_KEY_SECRET=another play aliops.cloudmonitor.check "$@" || status=$?
[ "$status" = 2 ]
expect
said 'Check that access_key_secret belongs to access_key_id'
