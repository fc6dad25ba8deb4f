#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh DIR SOURCE: builds a real C project, the one in SOURCE (this one), with make -j2 and with ninja, on the file system
# under test; the objects must be those of a build elsewhere, and a second build must find nothing to do.
. "$(dirname "$0")/common.sh"
SOURCE=$(realpath "${2:?the source tree}")
need make gcc protoc-c

copy() {
    mkdir "$1"
    (cd "$SOURCE" && tar -cf - src/core proto) | tar -C "$1" -xf -
    mkdir "$1/gen"
    (cd "$1" && protoc-c --proto_path=proto --c_out=gen proto/*.proto)
    cat >"$1/Makefile" <<'MAKEFILE'
sources := $(shell find src/core -name '*.c') $(wildcard gen/*.c)
objects := $(sources:.c=.o)
libcore.a: $(objects)
	rm -f $@
	ar rcsD $@ $(sort $(objects))
%.o: %.c
	gcc -std=gnu17 -D_GNU_SOURCE -O1 -MMD -Isrc -Igen -w -c -o $@ $<
-include $(objects:.o=.d)
MAKEFILE
}

say "a build on the file system under test"
copy "$DIR/tree"
make -s -C "$DIR/tree" -j2
say "the same elsewhere"
copy "$OUT/tree"
make -s -C "$OUT/tree" -j2
cmp "$DIR/tree/libcore.a" "$OUT/tree/libcore.a" || fail "the libraries differ"
say "nothing to do"
forget
make -q --no-print-directory -C "$DIR/tree" || fail "make would build again"
touch "$DIR/tree/src/core/base/err.h"
! make -q --no-print-directory -C "$DIR/tree" || fail "make does not see a newer header"
[ -z "$LONG" ] || make -s -C "$DIR/tree" -j2
