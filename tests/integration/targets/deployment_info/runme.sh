#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two deployments of tasks, of which the second fails, and what is known about them.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh
play test.yml "$@"
expect deployment-start deployment-finish deployment-start deployment-finish deployment-failure
