#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first run sends each event once, check mode sends nothing, and a second run adds nothing.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

play aliops.cloudmonitor.alerts -e cloudmonitor_contact_groups=oncall --check "$@"
expect
play aliops.cloudmonitor.alerts -e cloudmonitor_contact_groups=oncall "$@"
expect deployment-failure deployment-overdue
said 'written with the id aliops-0-deployment-failure'
play aliops.cloudmonitor.alerts -e cloudmonitor_contact_groups=oncall "$@"
expect
said 'Event deployment-overdue: was reported before'

status=0
play aliops.cloudmonitor.alerts -e cloudmonitor_contact_groups=nobody "$@" || status=$?
[ "$status" = 2 ]
said 'Existing contact groups: oncall.'
