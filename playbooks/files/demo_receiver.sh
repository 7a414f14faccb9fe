#!/bin/sh
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts the receiver of the demo in the background. Prints its folder, its process id and its port.
#
# usage: demo_receiver.sh PYTHON WORKER
#
# The script makes the folder, a temporary one, with the files secret (only for this user), pid,
# events.jsonl and requests.jsonl. The receiver ends when it gets a signal, when the parent of the
# process WORKER, which is ansible-playbook, has gone, or after three minutes. The script then
# removes the folder.
set -eu
umask 077

here=$(cd -- "$(dirname -- "$0")" && pwd)
python=$1
worker=$2

secret=$("$python" -c 'import secrets; print(secrets.token_hex(25))')
folder=$(mktemp -d "${TMPDIR:-/tmp}/cloudmonitor-demo.XXXXXX")
cd -- "$folder"
echo "$secret" > secret
ansible=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$worker/status" 2>/dev/null ||
    ps -o ppid= -p "$worker" 2>/dev/null || true)

: > log
exec 3< log
# At the end of a play, Ansible sends SIGTERM to the process groups of its workers.
in_new_session='import os, sys; os.setsid(); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])'
(
    trap '' TERM
    RECEIVER_ACCESS_KEY_ID=demo-key RECEIVER_ACCESS_KEY_SECRET=$secret \
        "$python" -c "$in_new_session" -B "$here/cloudmonitor_receiver.py" --lifetime 180 \
        --port-file port --events events.jsonl --requests requests.jsonl --contact-group oncall &
    receiver=$!
    echo "$receiver" > pid
    while kill -0 "$receiver" 2>/dev/null; do
        # Unquoted: ps writes spaces around the number. Without one there is nothing to watch.
        # shellcheck disable=SC2086
        if [ -n "$ansible" ] && ! kill -0 $ansible 2>/dev/null; then
            kill "$receiver" 2>/dev/null || true
        fi
        sleep 0.2
    done
    cd /
    # A task or a run that was under way may write there for a moment.
    rm -rf -- "$folder" || true
    sleep 2
    rm -rf -- "$folder"
) > /dev/null 2> log &

tries=0
while [ ! -s port ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || [ ! -e secret ]; then
        cat <&3 >&2
        echo 'The receiver did not start.' >&2
        exit 1
    fi
    sleep 0.1
done
pwd
cat pid port
