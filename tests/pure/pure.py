#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that static libraries are pure: they ask nothing of the world and keep no state of their own.

  pure.py ALLOW SOURCES LIBRARY...

Four checks. Undefined symbols of each library, less those the libraries define themselves, are all in ALLOW. No object lies
in a writable section (.data, .bss, thread-local): tables of constants may need relocation, so .data.rel.ro is fine. The
sources under SOURCES/core and SOURCES/sim include only headers of the C library, protobuf-c, xxHash and the core itself.
Nothing of the instrumentation for tests (marks and mutants, core/base/mark.h) is in the libraries.
"""
import os
import re
import subprocess
import sys

HEADERS = {
    'assert.h', 'errno.h', 'inttypes.h', 'limits.h', 'stdarg.h', 'stdbool.h', 'stddef.h', 'stdint.h', 'stdio.h',
    'stdlib.h', 'string.h', 'xxhash.h', 'protobuf-c/protobuf-c.h', 'pactfs.pb-c.h', 'wire.pb-c.h', 'registry.pb-c.h',
    'bsd/sys/tree.h',  # macros only
    'sys/stat.h', 'sys/types.h',  # S_IF* and types; a call would show in the symbols
}
INSTRUMENT = re.compile(r'^(mark_counts|mutant_on|marks?_.*|mutants?_.*)$')
WRITABLE = re.compile(r'^\.(data|bss|tdata|tbss)(\.(?!rel\.ro).*)?$|^\*COM\*$')


def read_allow(path):
    allow = []
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            if line.strip() and not line.startswith('#'):
                only = re.search(r'\bonly=(\S+)', line)
                allow.append((line.split()[0], only.group(1) if only else None))
    return allow


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def members(library):
    """(object file, line of objdump -t) for each symbol of a library."""
    name = os.path.basename(library)
    for line in run('objdump', '-t', '-w', library).splitlines():
        found = re.match(r'^(\S+):\s+file format', line)
        if found:
            name = os.path.basename(found.group(1))
        elif re.match(r'^[0-9a-f]{8,16} ', line):
            yield name, line


def parse(line):
    """(section, size, symbol, flags): 'VALUE FLAGS SECTION\\tSIZE [.hidden] NAME'."""
    left, right = line.split('\t', 1)
    value_flags, section = left.rsplit(' ', 1)
    words = right.split()
    return section, int(words[0], 16), words[-1], value_flags[17:]


def allowed(symbol, name, allow):
    for pattern, only in allow:
        match = symbol.startswith(pattern[:-1]) if pattern.endswith('*') else symbol == pattern
        if match and (only is None or name.endswith(only)):
            return True
    return False


def check_symbols(libraries, allow):
    defined, undefined, problems = set(), [], []
    for library in libraries:
        for name, line in members(library):
            section, size, symbol, flags = parse(line)
            if INSTRUMENT.match(symbol):
                problems.append(f'{name}: {symbol} belongs to the instrumentation for tests')
            if section == '*UND*':
                undefined.append((name, symbol))
                continue
            defined.add(symbol)
            if WRITABLE.match(section) and size > 0 and 'd' not in flags:
                problems.append(f'{name}: {symbol} is writable state ({size} bytes in {section})')
    for name, symbol in undefined:
        if symbol not in defined and not allowed(symbol, name, allow):
            problems.append(f'{name}: asks for {symbol}, which is not on the list')
    return problems, len(defined)


# Which rooms' headers each pure room may include.
SEES = {'core': ('core/',), 'workload': ('core/', 'workload/'), 'sim': ('core/', 'workload/', 'sim/')}


def check_includes(sources):
    problems = []
    for room in SEES:
        for folder, _, files in os.walk(os.path.join(sources, room)):
            for file in sorted(files):
                if not file.endswith(('.c', '.h')):
                    continue
                path = os.path.join(folder, file)
                with open(path, encoding='utf-8') as text:
                    for number, line in enumerate(text, 1):
                        problems += check_include(room, f'{path}:{number}', line)
    return problems


def check_include(room, where, line):
    found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
    if not found:
        return []
    kind, header = found.groups()
    if kind == '<':
        good = header in HEADERS
    else:
        good = header.startswith(SEES[room])
    return [] if good else [f'{where}: includes {header}, which {room} may not see']


def main(arguments):
    if len(arguments) < 3:
        print(__doc__)
        return 2
    problems, count = check_symbols(arguments[2:], read_allow(arguments[0]))
    problems += check_includes(arguments[1])
    for problem in problems:
        print(problem)
    if count == 0:
        print('no symbol was found at all: the check did not see the library')
        return 1
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
