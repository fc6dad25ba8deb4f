# SPDX-License-Identifier: MIT
# common.sh: for the scripts that run real programs on a volume. Usage of each: SCRIPT DIR, an empty folder on the file system under
# test. PACTFS_SOAK=1 runs the long version. What a script needs elsewhere lies in $OUT, an ordinary folder.
set -eu
DIR=$(realpath "${1:?a folder on the file system under test}")
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
LONG=${PACTFS_SOAK:-}
export HOME="$OUT" LC_ALL=C GIT_CONFIG_NOSYSTEM=1

say() { echo "== $*"; }
fail() { echo "FAILED: $*"; exit 1; }
need() {
    for program; do
        command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; exit 77; }
    done
}
# Drops clean pages, so that what is read next comes from the file system; only root may.
forget() { [ "$(id -u)" != 0 ] || echo 3 >/proc/sys/vm/drop_caches; }
