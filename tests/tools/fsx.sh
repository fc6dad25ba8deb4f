#!/bin/sh
# SPDX-License-Identifier: MIT
# fsx.sh VOLUME.PY PACTFS FSX: the random tester on a volume: one file, then four at once that are copied between.
# PACTFS_SOAK=1: a million operations. The seed is printed; PACTFS_SEED chooses it.
set -eu
volume=$1 pactfs=$2 fsx=$3
seed=${PACTFS_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
ops=40000
[ -z "${PACTFS_SOAK:-}" ] || ops=1000000
echo "seed $seed"
"$volume" "$pactfs" "$fsx" --ops "$ops" --seed "$seed" '{}/f'
"$volume" "$pactfs" "$fsx" --ops "$ops" --seed "$seed" --files 4 --size 1000000 '{}/f'
