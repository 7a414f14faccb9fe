#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The demo uses the role, both modules and the receiver, and checks by itself what arrived.
set -eux
exec ansible-playbook -i localhost, aliops.cloudmonitor.demo "$@"
