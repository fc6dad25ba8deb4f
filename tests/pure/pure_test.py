#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that the purity check can fail: each impure piece of C below is refused, the pure one is not."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PURE = '''#include <string.h>
static const char *const names[] = {"a", "b"};
const char *name(int i);
const char *name(int i) { return strchr(names[i & 1], 'a'); }
'''
IMPURE = {
    'a clock': '#include <time.h>\nlong f(void);\nlong f(void) { return (long)time(0); }\n',
    'chance': '#include <stdlib.h>\nint f(void);\nint f(void) { return rand(); }\n',
    'a system call': '#include <unistd.h>\nint f(void);\nint f(void) { return getpid(); }\n',
    'errno': '#include <errno.h>\nint f(void);\nint f(void) { return errno; }\n',
    'a global': 'int counter = 3;\nint f(void);\nint f(void) { return ++counter; }\n',
    'a zeroed static': 'int f(void);\nint f(void) { static int n; return ++n; }\n',
    'a thread-local': 'int f(void);\nint f(void) { static _Thread_local int n; return ++n; }\n',
    'a mark': 'extern unsigned long mark_counts[2];\nvoid f(void);\nvoid f(void) { mark_counts[1]++; }\n',
    'a mutant': 'extern int mutant_on;\nint f(void);\nint f(void) { return mutant_on == 3; }\n',
    'printing': '#include <stdio.h>\nvoid f(void);\nvoid f(void) { fprintf(stderr, "%d", 1); }\n',
}
INCLUDES = {'a foreign header': '#include <uv.h>\n', 'the io room': '#include "io/uv/env_uv.h"\n',
            'the simulator': '#include "sim/sim.h"\n'}


def verdict(folder, code, include=''):
    room = os.path.join(folder, 'src', 'core')
    os.makedirs(room, exist_ok=True)
    with open(os.path.join(room, 'x.c'), 'w', encoding='utf-8') as file:
        file.write(include)
    source, obj, lib = (os.path.join(folder, n) for n in ('t.c', 't.o', 'libt.a'))
    with open(source, 'w', encoding='utf-8') as file:
        file.write(code)
    subprocess.run(['gcc', '-O1', '-fPIC', '-c', '-o', obj, source], check=True)
    if os.path.exists(lib):
        os.unlink(lib)
    subprocess.run(['ar', 'rcs', lib, obj], check=True)
    return subprocess.run([sys.executable, os.path.join(HERE, 'pure.py'), os.path.join(HERE, 'allow.txt'),
                           os.path.join(folder, 'src'), lib], stdout=subprocess.DEVNULL).returncode


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        if verdict(folder, PURE) != 0:
            print('refused: the pure one')
            failed += 1
        for what, code in IMPURE.items():
            if verdict(folder, code) != 1:
                print(f'not refused: {what}')
                failed += 1
        for what, line in INCLUDES.items():
            if verdict(folder, PURE, line) != 1:
                print(f'not refused: {what}')
                failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
