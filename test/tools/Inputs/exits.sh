#!/usr/bin/env bash
# exits.sh CODE COMMAND ...: prints what the command prints on stderr and fails unless it exits with CODE.
wanted=$1
shift
"$@" 2>&1 >/dev/null
got=$?
[ $got = "$wanted" ] || { echo "exit code $got, wanted $wanted: $*"; exit 1; }
