#!/bin/sh
# SPDX-License-Identifier: MIT
# git.sh DIR: a history made from a seed, cloned, collected, checked.
. "$(dirname "$0")/common.sh"
need git python3
commits=300
[ -z "$LONG" ] || commits=10000

git config --global user.name test
git config --global user.email test@example.org
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global core.fsync all

# A stream for git fast-import: files come, change, move and go.
history() {
    python3 - "$1" <<'PYTHON'
import random, sys
chance, out = random.Random(5), sys.stdout.buffer
files = []
for n in range(1, int(sys.argv[1]) + 1):
    text = f'commit number {n}\n'.encode()
    out.write(b'commit refs/heads/main\nmark :%d\ncommitter t <t@example.org> %d +0000\ndata %d\n%s\n'
              % (n, 1600000000 + n, len(text), text))
    if n > 1:
        out.write(b'from :%d\n' % (n - 1))
    for _ in range(chance.randrange(1, 8)):
        if files and chance.random() < 0.2:
            out.write(b'D %s\n' % files.pop(chance.randrange(len(files))))
            continue
        if files and chance.random() < 0.5:
            name = chance.choice(files)
        else:
            name = b'd%d/s%d/f%d' % (chance.randrange(20), chance.randrange(10), n)
            files.append(name)
        body = b''.join(b'%x\n' % chance.getrandbits(64) for _ in range(chance.randrange(1, 200)))
        out.write(b'M 100644 inline %s\ndata %d\n%s\n' % (name, len(body), body))
out.write(b'done\n')
PYTHON
}

say "$commits commits"
git init -q "$DIR/origin"
history "$commits" >"$OUT/history"
git -C "$DIR/origin" fast-import --quiet --done <"$OUT/history"
git -C "$DIR/origin" reset -q --hard main
git init -q "$OUT/reference"
git -C "$OUT/reference" fast-import --quiet --done <"$OUT/history"
[ "$(git -C "$DIR/origin" rev-parse main)" = "$(git -C "$OUT/reference" rev-parse main)" ] || fail "other commits"

say "fifty ordinary commits"
i=0
while [ $i -lt 50 ]; do
    echo "line $i" >>"$DIR/origin/log"
    git -C "$DIR/origin" add log
    git -C "$DIR/origin" commit -q -m "line $i"
    i=$((i + 1))
done

say "clone, with and without links"
git clone -q "$DIR/origin" "$DIR/linked"
git clone -q --no-local "$DIR/origin" "$DIR/clone"
forget
say "gc"
git -C "$DIR/clone" gc -q --aggressive
git -C "$DIR/origin" gc -q --prune=now
say "fsck"
forget
for copy in origin linked clone; do
    git -C "$DIR/$copy" fsck --full --strict --no-dangling 2>"$OUT/fsck" || { cat "$OUT/fsck"; fail "fsck of $copy"; }
    [ -z "$(git -C "$DIR/$copy" status --porcelain)" ] || fail "$copy is not clean"
done
say "branches, stash, worktree"
git -C "$DIR/clone" checkout -q -b other HEAD~20
echo change >>"$DIR/clone/log"
git -C "$DIR/clone" stash -q
git -C "$DIR/clone" merge -q main
git -C "$DIR/clone" worktree add -q "$DIR/tree" main~10
git -C "$DIR/clone" diff --quiet || fail "a difference after the merge"
git -C "$DIR/clone" fsck --full >/dev/null 2>&1 || fail "the last fsck"
