#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The callback on a playbook that succeeds and one that fails, in the same process.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

export ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events CLOUDMONITOR_FLUSH_TIMEOUT=30
if play succeed.yml fail.yml "$@"; then
    exit 1
fi
said 'Failed on purpose'
expect deployment-start deployment-finish deployment-start deployment-finish deployment-failure
