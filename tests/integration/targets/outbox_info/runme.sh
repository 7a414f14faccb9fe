#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The events of a run that nobody answers are listed, and nothing is sent.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

# Port 9 is for discarding, and nobody listens there.
CLOUDMONITOR_ENDPOINT=http://127.0.0.1:9 CLOUDMONITOR_FLUSH_TIMEOUT=1 \
    ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events \
    ansible-playbook -i localhost, -c local deploy.yml "$@"

play test.yml "$@"
expect
