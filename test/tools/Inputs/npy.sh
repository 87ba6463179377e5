#!/usr/bin/env bash
# npy.sh DESCR FORTRAN_ORDER SHAPE BYTES: an .npy file of zeros on stdout, e.g. npy.sh '<f4' False '(8, 128)' 4096
header=$(printf "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" "$1" "$2" "$3")
printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
head -c "$4" /dev/zero
