#!/usr/bin/env bash
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The report shows a deployment of the callback. The report itself is not reported as one.
set -eux -o pipefail
# shellcheck source-path=SCRIPTDIR
source ../setup_receiver/receiver.sh

export ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events
export CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT=production CLOUDMONITOR_DEPLOYMENT_VERSION=1.4.2
play deploy.yml "$@"
expect deployment-start deployment-finish

play aliops.cloudmonitor.report -e "cloudmonitor_report_path=$work/page.html" "$@"
said 'deploy      production   1.4.2'
said "The report is $work/page.html"
grep -F '<td class=succeeded>succeeded' "$work/page.html"
expect

CLOUDMONITOR_OUTBOX=$work/none play aliops.cloudmonitor.report -e cloudmonitor_report_source=cloudmonitor \
    -e "cloudmonitor_report_path=$work/cloud.html" "$@"
said 'deploy      production   1.4.2'
grep -F '<td class=succeeded>succeeded' "$work/cloud.html"

if play aliops.cloudmonitor.report -e "cloudmonitor_report_path=$work" "$@"; then
    exit 1
fi
said 'is a directory'
play aliops.cloudmonitor.report -e "cloudmonitor_report_path=$work/new.json" \
    -e cloudmonitor_report_format=json --check "$@"
[ ! -e "$work/new.json" ]
