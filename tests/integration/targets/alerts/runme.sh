#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first run sends each event once, the second adds nothing, and a wrong contact group fails.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

if play test.yml "$@"; then
    exit 1
fi
expect deployment-failure deployment-overdue
said 'written with the id aliops-0-deployment-failure'
said 'Event deployment-overdue: was reported before'
said 'Existing contact groups: oncall.'
