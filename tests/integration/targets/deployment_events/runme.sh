#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The callback on a run that succeeds, one that fails, and one that is only checked.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh
export ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events CLOUDMONITOR_FLUSH_TIMEOUT=30
deploy_each_way "$@"
