#!/bin/sh
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Writes a release of the shop to a simulated host of the demo, or a link to the one in use.
#
# usage: demo_release.sh write|use FOLDER VERSION
set -eu

folder=$2
version=$3

if [ "$1" = write ]; then
    mkdir -p -- "$folder/$version"
    echo "shop $version" > "$folder/$version/shop.txt"
else
    ln -sfn -- "$version" "$folder/current"
fi
