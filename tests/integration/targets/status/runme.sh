#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The status is shown, also of an outbox that does not exist, and is not reported itself.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events play aliops.cloudmonitor.status "$@"
said 'The outbox does not exist'
[ ! -s "$received" ]
