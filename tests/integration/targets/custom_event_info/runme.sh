#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Events are read back, and a wait for events that do not come fails.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh
play test.yml "$@"
expect one two
