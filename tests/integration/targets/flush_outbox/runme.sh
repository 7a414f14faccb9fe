#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a run leaves behind when nobody answers is delivered later, once. Its courier lingers.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

# Port 9 is for discarding, and nobody listens there. That run warns, and is none the worse.
CLOUDMONITOR_ENDPOINT=http://127.0.0.1:9 CLOUDMONITOR_FLUSH_TIMEOUT=1 \
    ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events \
    ansible-playbook -i localhost, -c local deploy.yml "$@"
expect

play test.yml "$@"
expect deployment-start deployment-finish
