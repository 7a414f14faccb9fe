# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# shellcheck shell=bash
#
# For a target's runme.sh to source: starts the collection's receiver with its own Python, and
# leaves behind, when the target ends, neither a process nor a file. What the target then has:
# the folder $work; $received, the events that arrived; an environment in which everything
# reports to the receiver, and in which a warning or a look at the user's settings cannot hide.
work=$(mktemp -d)
received=$work/events.jsonl
receiver=
tidy_up() {
    [ -z "$receiver" ] || kill "$receiver" 2>/dev/null || true
    rm -rf -- "$work"
}
trap tidy_up EXIT

roots=${ANSIBLE_COLLECTIONS_PATH:-}
for root in ${roots//:/ }; do
    files=$root/ansible_collections/aliops/cloudmonitor/playbooks/files
    [ ! -e "$files/cloudmonitor_receiver.py" ] || break
done

export ALIBABA_CLOUD_ACCESS_KEY_ID=target-key ALIBABA_CLOUD_ACCESS_KEY_SECRET=target-secret
: > "$received"
RECEIVER_ACCESS_KEY_ID=$ALIBABA_CLOUD_ACCESS_KEY_ID \
    RECEIVER_ACCESS_KEY_SECRET=$ALIBABA_CLOUD_ACCESS_KEY_SECRET \
    python -B "$files/cloudmonitor_receiver.py" --exit-with-parent --lifetime 120 \
    --port-file "$work/port" --events "$received" --contact-group oncall --group 4711=shop &
receiver=$!
deadline=$((SECONDS + 30))
until [ -s "$work/port" ]; do
    kill -0 "$receiver" # it has said why it did not start
    [ "$SECONDS" -lt "$deadline" ]
    sleep 0.1
done
CLOUDMONITOR_ENDPOINT=http://127.0.0.1:$(cat "$work/port")
export CLOUDMONITOR_ENDPOINT CLOUDMONITOR_API_ENDPOINT=$CLOUDMONITOR_ENDPOINT
export CLOUDMONITOR_OUTBOX=$work/outbox

# The names of the events that arrived, in order, in one line.
arrived() {
    python -c 'import json, sys; print(*(json.loads(line)["name"] for line in sys.stdin))' < "$received"
}

# Run a playbook; a warning is a failure that nothing forgives.
play() {
    local status=0
    ansible-playbook -i localhost, -c local "$@" 2>&1 | tee "$work/output" || status=$?
    if grep -E '\[(WARNING|DEPRECATION)' "$work/output"; then
        exit 1
    fi
    return "$status"
}

# See that the last playbook said this.
said() {
    grep -F -- "$1" "$work/output"
}

# See that exactly these events arrived, in this order, since the start or the last look.
expect() {
    [ "$(arrived)" = "$*" ] || { echo "expected: $*; arrived: $(arrived)" >&2; return 1; }
    : > "$received"
}
