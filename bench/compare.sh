#!/bin/bash
# SPDX-License-Identifier: MIT
# compare.sh [--runs N] [--dir DIR] [--pactfs BIN]: PactFS beside what FUSE alone costs: libfuse's passthrough example over
# the same disk. Runs alternate, both fresh each time; prints the median of each figure, and PactFS / passthrough.
# As root. DIR (default: the build folder) says which disk.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
runs=5 dir=$top/build pactfs=$top/build/pactfs
while [ $# -gt 0 ]; do
    case $1 in
    --runs) runs=$2 ;;
    --dir) dir=$2 ;;
    --pactfs) pactfs=$2 ;;
    *) echo "usage: compare.sh [--runs N] [--dir DIR] [--pactfs BIN]" >&2; exit 2 ;;
    esac
    shift 2
done
[ "$(id -u)" = 0 ] || { echo "compare.sh: caches are dropped between steps, so this needs root" >&2; exit 1; }
examples=/usr/share/doc/libfuse3-dev/examples
[ -f $examples/passthrough_ll.c ] || { echo "compare.sh: install libfuse3-dev and fio" >&2; exit 1; }

work=$(mktemp -d "$dir/bench-XXXXXX")
clean() {
    mountpoint -q "$work/pass/mnt" && umount "$work/pass/mnt"
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

# shellcheck disable=SC2046
gcc -O2 -w -o "$work/passthrough" $examples/passthrough_ll.c -I$examples $(pkg-config --cflags --libs fuse3)

run_pactfs() {
    PACTFS_TEST_DIR=$work "$top/tests/tools/volume.py" "$pactfs" "$top/bench/figures.py" '{}' >"$work/pactfs.$1"
}
run_passthrough() {
    mkdir -p "$work/pass/source" "$work/pass/mnt"
    "$work/passthrough" -o "source=$work/pass/source,cache=always,writeback" "$work/pass/mnt"
    "$top/bench/figures.py" "$work/pass/mnt" >"$work/passthrough.$1"
    umount "$work/pass/mnt"
    rm -rf "$work/pass"
}

for run in $(seq "$runs"); do
    echo "run $run of $runs" >&2
    run_passthrough "$run"
    run_pactfs "$run" || { cat "$work/pactfs.$run"; exit 1; }
done

python3 - "$work" "$runs" <<'PYTHON'
import statistics, sys
work, runs = sys.argv[1], int(sys.argv[2])


def medians(kind):
    found = {}
    for run in range(1, runs + 1):
        for line in open(f'{work}/{kind}.{run}'):
            if len(line.split()) == 3:
                name, value, unit = line.split()
                found.setdefault((name, unit), []).append(float(value))
    return {key: statistics.median(values) for key, values in found.items()}


ours, theirs = medians('pactfs'), medians('passthrough')
print(f'medians of {runs} alternating runs')
print(f'{"figure":20} {"PactFS":>12} {"passthrough":>12} {"unit":10} ratio')
for (name, unit), value in theirs.items():
    print(f'{name:20} {ours[name, unit]:12.1f} {value:12.1f} {unit:10} {ours[name, unit] / value:5.2f}')
PYTHON
