#!/bin/sh
# Prints the units, of the processes named, that are older than what they run from.
set -eu
for name in "$@"; do
    unit=smailor-$name.service
    at() { systemctl show --timestamp=unix --property="$1" --value "$unit" | tr -d @; }
    # Of the start, and of the last reload.
    started=$(at ActiveEnterTimestamp)
    loaded=$(at StateChangeTimestamp)
    if [ "$(stat -c %Y "/etc/systemd/system/$unit")" -gt "${started:-0}" ] ||
        [ "$(stat -c %Y "$SMAILOR_CURRENT")" -gt "${started:-0}" ] ||
        [ "$(stat -c %Y "$SMAILOR_CONFIG")" -gt "${loaded:-0}" ]; then
        echo "$unit"
    fi
done
