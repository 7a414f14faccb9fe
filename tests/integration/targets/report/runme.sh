#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The report shows a deployment of the callback, and is not reported itself.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

export CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT=production CLOUDMONITOR_DEPLOYMENT_VERSION=1.4.2
ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events \
    play deploy.yml aliops.cloudmonitor.report -e "cloudmonitor_report_path=$work/page.html" "$@"
expect deployment-start deployment-finish
said 'deploy      production   1.4.2'
said "The report is $work/page.html"
grep -F '<td class=succeeded>succeeded' "$work/page.html"

CLOUDMONITOR_OUTBOX=$work/none play aliops.cloudmonitor.report -e cloudmonitor_report_source=cloudmonitor \
    -e "cloudmonitor_report_path=$work/cloud.html" "$@"
said 'deploy      production   1.4.2'
grep -F '<td class=succeeded>succeeded' "$work/cloud.html"
