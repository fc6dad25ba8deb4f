#!/bin/sh
# SPDX-License-Identifier: MIT
# copies.sh DIR: a tree of everything a file system can hold goes there and back by rsync, tar and cp, without a difference.
. "$(dirname "$0")/common.sh"
need rsync tar setfacl getfacl setfattr getfattr python3
files=200
[ -z "$LONG" ] || files=5000

make_tree() {
    python3 - "$1" "$files" <<'PYTHON'
import os, random, sys
top, count, chance = sys.argv[1], int(sys.argv[2]), random.Random(3)
os.mkdir(top)
names = []
for n in range(count):
    folder = os.path.join(top, f'd{chance.randrange(20)}', f's{chance.randrange(5)}')
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f'f{n} \u00e4' if n % 10 == 0 else f'f{n}')
    with open(path, 'wb') as file:
        file.write(chance.randbytes(int(chance.lognormvariate(8, 2)) % 3000000))
    os.chmod(path, chance.choice([0o644, 0o600, 0o755, 0o444, 0o4755, 0o2755]))
    names.append(path)
    if n % 7 == 0:
        os.link(path, path + '.link')
    if n % 9 == 0:
        os.symlink(f'../{n}', path + '.symlink')
    if n % 11 == 0:
        os.setxattr(path, 'user.note', chance.randbytes(chance.randrange(1, 2000)))
    os.utime(path, ns=(10**18 + n * 1001, 10**18 + n * 999_999_937))
with open(os.path.join(top, 'sparse'), 'wb') as file:
    for at in (0, 5_000_000, 40_000_000):
        file.seek(at)
        file.write(b'data')
    file.truncate(50_000_000)
os.mkfifo(os.path.join(top, 'fifo'))
open(os.path.join(top, 'empty'), 'w').close()
os.mkdir(os.path.join(top, 'x' * 255))
if os.geteuid() == 0:
    os.mknod(os.path.join(top, 'null'), 0o20666, os.makedev(1, 3))
    os.mknod(os.path.join(top, 'block'), 0o60640, os.makedev(8, 300))
    for path in names[::13]:
        os.chown(path, chance.randrange(1, 70000), chance.randrange(1, 70000), follow_symlinks=False)
PYTHON
    setfacl -m u:1234:rw,g:4321:r "$1/empty" 2>/dev/null || { echo "skipped: no ACLs below $OUT"; exit 77; }
    setfacl -d -m u:1234:rwx,o::- "$1/d1"
    # rsync leaves a time alone that is right to the second, so a copy made in the same second would differ.
    find "$1" ! -type f -exec touch -h -d '2001-02-03 04:05:06.789' {} +
}

# Everything about a tree that must survive, as text.
describe() {
    (cd "$1" && find . -printf '%P %y %m %U %G %n %s %T@ %l\n' | sed 's/^\([^ ]* d .* [0-9]* [0-9]*\) [0-9]* \([0-9.]*\) $/\1 \2/' |
        awk '$2 == "d" { $6 = $7 = "-" } { print }' | sort
        find . -type f -exec sha256sum {} + | sort -k 2
        find . \( -type f -o -type d \) -print0 | sort -z | xargs -0 getfacl -n -p
        find . -type f -print0 | sort -z | xargs -0 getfattr -d -m - -e hex
        find . -links +1 -type f -printf '%i %P\n' | sort -k 2 | awk '!($1 in n) { n[$1] = ++c } { print n[$1], $2 }')
}

compare() {
    describe "$2" >"$OUT/now"
    diff "$OUT/should" "$OUT/now" >"$OUT/diff" || { head -20 "$OUT/diff"; fail "$1: differences"; }
    size=$(du -k "$2/sparse" | cut -f1)
    [ "$size" -lt 1000 ] || fail "$1: the sparse file takes $size KiB"
}

make_tree "$OUT/tree"
describe "$OUT/tree" >"$OUT/should"

say "rsync there and back"
rsync -aHAXS --numeric-ids "$OUT/tree/" "$DIR/rsync/"
forget
compare "rsync there" "$DIR/rsync"
rsync -aHAXS --numeric-ids "$DIR/rsync/" "$OUT/back/"
compare "rsync back" "$OUT/back"
changes=$(rsync -aHAXSni --checksum --numeric-ids "$OUT/tree/" "$DIR/rsync/")
[ -z "$changes" ] || fail "rsync would change: $changes"
rm -rf "$OUT/back"

say "tar there and back"
mkdir "$DIR/tar" "$OUT/back"
tar -C "$OUT/tree" --acls --xattrs --xattrs-include='*' --numeric-owner --sparse -cf "$OUT/tar" .
tar -C "$DIR/tar" --acls --xattrs --xattrs-include='*' --numeric-owner -xpf "$OUT/tar"
forget
compare "tar there" "$DIR/tar"
tar -C "$DIR/tar" --acls --xattrs --xattrs-include='*' --numeric-owner --sparse -cf "$DIR/archive" .
tar -C "$OUT/back" --acls --xattrs --xattrs-include='*' --numeric-owner -xpf "$DIR/archive"
compare "tar back" "$OUT/back"

say "cp inside"
cp -a --sparse=auto "$DIR/rsync" "$DIR/cp"
compare "cp" "$DIR/cp"
mv "$DIR/cp" "$DIR/moved"
compare "mv" "$DIR/moved"
rm -rf "$DIR/moved" "$DIR/rsync" "$DIR/tar"
[ "$(ls "$DIR")" = archive ] || fail "rm left something"
