#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The role around a deployment that succeeds, one that is only checked, and one that fails.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

if play test.yml "$@"; then
    exit 1
fi
said 'The new version does not start'
expect deployment-start deployment-finish deployment-start deployment-finish deployment-failure
