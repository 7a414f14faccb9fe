#!/bin/sh
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs the playbook website.yml of the demo as a user does who has enabled the callback.
#
# usage: demo_run.sh FOLDER PYTHON VERSION STATE
#
# FOLDER is that of demo_receiver.sh, with website.yml and ansible.cfg in it. With the STATE
# "hangs" the run is overdue after a second, and is killed once that was reported. Exits with its
# status when everything that it reported has arrived. When FOLDER is removed, because the demo was
# interrupted, the run is killed.
set -eu
umask 077

folder=$1
python=$2
version=$3
state=$4

cd -- "$folder"
# The settings of whoever runs the demo are not meant for this run.
for name in $(env | sed -n -E 's/^((ANSIBLE|CLOUDMONITOR|ALIBABA_CLOUD|ALICLOUD)_[A-Za-z0-9_]*)=.*/\1/p'); do
    unset "$name"
done
export ANSIBLE_CONFIG="$folder/ansible.cfg"
# A proxy of this machine has no way to 127.0.0.1.
export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1
ALIBABA_CLOUD_ACCESS_KEY_SECRET=$(cat secret)
export ALIBABA_CLOUD_ACCESS_KEY_SECRET
export CLOUDMONITOR_DEPLOYMENT_VERSION="$version" CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT=demo
if [ "$state" = hangs ]; then
    export CLOUDMONITOR_OVERDUE_AFTER=1
fi

"$python" -m ansible.cli.playbook -i localhost, -e "website_state=$state" website.yml &
run=$!
tries=0
while kill -0 "$run" 2>/dev/null; do
    if [ -e under-way ]; then
        tries=$((tries + 1))
        # If the event does not arrive, the demo shows at its end that it is missing.
        if grep -q deployment-overdue events.jsonl 2>/dev/null || [ "$tries" -gt 100 ]; then
            kill -9 "$run" 2>/dev/null || true
        fi
    fi
    if [ ! -e secret ]; then
        kill -9 "$run" 2>/dev/null || true
    fi
    sleep 0.1
done
status=0
wait "$run" 2>/dev/null || status=$?
rm -f under-way # what the killed run has left ends with it
if [ ! -e secret ]; then
    echo 'The receiver of the demo has ended.' >&2
    exit 1
fi

# The outbox is empty when everything has arrived.
tries=0
while [ -n "$(ls ansible/aliops.cloudmonitor/runs 2>/dev/null)" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
        echo 'The events of this run did not arrive.' >&2
        exit 1
    fi
    sleep 0.1
done
exit "$status"
