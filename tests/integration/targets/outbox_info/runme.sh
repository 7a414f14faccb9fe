#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The events that an outage held up are listed, and nothing is sent.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

# Not play(), because the outage is a warning.
ansible-playbook -i localhost, -c local test.yml "$@"
[ ! -s "$received" ]
