#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that the style check can fail: each sample below gives the named complaint, the clean one none."""
import sys

import lint

HEAD = '/* SPDX-License-Identifier: MIT */\n'
CLEAN = HEAD + '/* rand() in prose, "a // string" */\nint f(int a)\n{\n    return a; /* sprintf( */\n}\n'
LONG = HEAD + 'int f(int a)\n{\n' + '    a++;\n' * 71 + '}\n'
SAMPLES = [
    ('src/a.c', 'int f(void);\n', 'no SPDX line'),
    ('src/a.c', LONG, '71 lines long'),
    ('src/a.c', HEAD + 'int f(int a, int b, int c,\n      int d, int e, int g)\n{\n    return 1;\n}\n', '6 parameters'),
    ('src/a.c', HEAD + '\n' * 800, '801 lines'),
    ('src/a.h', HEAD + '\n' * 250, '251 lines'),
    ('src/a.c', HEAD + '/* ' + 'x' * 100 + ' */\n', '106 columns'),
    ('src/a.c', HEAD + 'void f(char *a)\n{\n    strcpy(a, "x");\n}\n', 'strcpy is banned'),
    ('src/a.c', HEAD + 'int f(void)\n{\n    return rand();\n}\n', 'rand is banned'),
    ('src/a.c', HEAD + 'int a; \n', 'blanks'),
    ('src/a.c', HEAD + '\tint a;\n', 'a tab'),
    ('src/a.c', HEAD + '/* TODO */\n', 'left to do'),
    ('tests/a.c', HEAD + 'void f(void)\n{\n    usleep(3);\n}\n', 'sleeps'),
    ('tests/a.py', '# SPDX-License-Identifier: MIT\ntime.sleep(1)\n', 'sleeps'),
    ('tests/a.sh', '# SPDX-License-Identifier: MIT\nsleep 1\n', 'sleeps'),
]
FINE = [('src/a.c', CLEAN), ('src/a.c', LONG.replace('    a++;\n', '', 1)),
        ('tests/a.py', '# SPDX-License-Identifier: MIT\ntime.sleep(1)  # lint: sleep-ok a moment of choice\n')]


def main():
    failed = 0
    for path, text, expected in SAMPLES:
        got = [what for _, what in lint.check_file(path, text)]
        if len(got) != 1 or expected not in got[0]:
            print(f'{path}: expected "{expected}", got {got}')
            failed += 1
    for path, text in FINE:
        got = list(lint.check_file(path, text))
        if got:
            print(f'{path}: expected nothing, got {got}')
            failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
