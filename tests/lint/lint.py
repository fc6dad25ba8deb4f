#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house style, checked: lint.py FOLDER [FILE...]. Prints file:line: what is wrong; exit code 1 when something is.

Functions at most 70 lines and 5 parameters, .c files 800 lines, .h files 250, lines 100 columns, an SPDX line on top, no
banned calls, no tabs or trailing blanks, no sleeping in tests, nothing left to do, clang-format clean where that is installed.
A line of a test that must sleep says why: `lint: sleep-ok REASON`. A function whose parameters another library
dictates says so in the last line of its head: `lint: parameters-ok REASON`.
"""
import os
import re
import shutil
import subprocess
import sys

FUNCTION_MAX, SOURCE_MAX, HEADER_MAX, COLUMNS, PARAMETERS = 70, 800, 250, 100, 5
# What was there before its rule, and how far it goes: these may shrink, not grow.
RATCHET = {'src/core/store/lookup.c': {'parameters': 8}}
BANNED = re.compile(r'(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|rand|srand|random|alloca|strtok|atoi|atol|tmpnam|'
                    r'mktemp|scanf|sscanf|system)\s*\(')
SLEEP = {'.c': re.compile(r'(?<!\w)(sleep|usleep|nanosleep|clock_nanosleep)\s*\('),
         '.py': re.compile(r'\btime\.sleep\s*\('), '.sh': re.compile(r'^\s*sleep\s')}
LEFT = re.compile(r'\b(TODO|FIXME|XXX)\b')
CODE = ('.c', '.h', '.py', '.sh', '.build', '.proto')
SKIPPED = {'tests/lint/lint.py', 'tests/lint/lint_test.py'}  # they name what they look for


def strip_strings(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)


def without_comments(lines):
    """The lines with comments and strings blanked out, so that prose is not taken for code."""
    out, inside = [], False
    for line in lines:
        text = ''
        rest = strip_strings(line) if not inside else line
        while rest:
            if inside:
                end = rest.find('*/')
                if end < 0:
                    break
                inside, rest = False, rest[end + 2:]
            else:
                start = re.search(r'/\*|//', rest)
                if not start:
                    text += rest
                    break
                text += rest[:start.start()]
                if start.group() == '//':
                    break
                inside, rest = True, rest[start.end():]
        out.append(text)
    return out


def check_functions(code, lines, parameters):
    """Functions begin with { and end with } in column 0 (Linux braces)."""
    start = None
    for number, line in enumerate(code, 1):
        if line.startswith('{'):
            start = number
            if 'lint: parameters-ok' not in lines[number - 2]:
                yield from check_parameters(code, number, parameters)
        elif line.startswith('}') and start:
            if number - start - 1 > FUNCTION_MAX:
                yield start, f'the function is {number - start - 1} lines long; at most {FUNCTION_MAX}'
            start = None


def check_parameters(code, brace, most):
    signature, at = '', brace - 2
    while at >= 0 and code[at].strip() and not code[at].rstrip().endswith((';', '}', ':')):
        signature = code[at] + ' ' + signature
        at -= 1
    inner = re.search(r'\((.*)\)\s*$', signature)
    if inner:
        depth, count = 0, 1
        for letter in inner.group(1):
            depth += (letter == '(') - (letter == ')')
            count += letter == ',' and depth == 0
        if count > most:
            yield brace, f'the function has {count} parameters; at most {most}, else a struct'


def check_lines(path, lines, code):
    extension = os.path.splitext(path)[1]
    for number, (line, bare) in enumerate(zip(lines, code), 1):
        if extension in ('.c', '.h') and len(line) > COLUMNS:
            yield number, f'{len(line)} columns; at most {COLUMNS}'
        if extension in ('.c', '.h', '.py') and '\t' in line:
            yield number, 'a tab'
        if line != line.rstrip():
            yield number, 'blanks at the end of the line'
        found = BANNED.search(bare) if extension in ('.c', '.h') else None
        if found:
            yield number, f'{found.group(1)} is banned'
        sleep = SLEEP.get(extension)
        if sleep and sleep.search(bare) and path.startswith('tests/') and 'lint: sleep-ok' not in line:
            yield number, 'a test sleeps; wait for what it waits for'
        if LEFT.search(line):
            yield number, 'something is left to do'


def check_file(path, text):
    lines = text.split('\n')
    if lines and lines[-1] == '':
        lines.pop()
    is_c = path.endswith(('.c', '.h'))
    code = without_comments(lines) if is_c else lines
    if path.endswith(CODE) and not any('SPDX-License-Identifier: MIT' in line for line in lines[:3]) and lines:
        if not path.endswith('meson.build'):
            yield 1, 'no SPDX line'
    limit = {'.c': SOURCE_MAX, '.h': HEADER_MAX}.get(os.path.splitext(path)[1])
    limit = RATCHET.get(path, {}).get('lines', limit)
    if limit and len(lines) > limit:
        yield 1, f'{len(lines)} lines; at most {limit}'
    if path.endswith('.c'):
        yield from check_functions(code, lines, RATCHET.get(path, {}).get('parameters', PARAMETERS))
    yield from check_lines(path, lines, code)


def check_format(top, files):
    """Debian 12's clang-format decides; other versions break lines elsewhere, so they are not asked."""
    tool = shutil.which('clang-format-14') or shutil.which('clang-format')
    if not tool:
        return
    version = subprocess.run([tool, '--version'], stdout=subprocess.PIPE, text=True).stdout
    if ' 14.' not in version:
        return
    for path in files:
        done = subprocess.run([tool, '--dry-run', '-Werror', path], cwd=top, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            first = re.search(r':(\d+):', done.stderr)
            yield path, int(first.group(1)) if first else 1, 'not as clang-format writes it (make format)'


def tracked(top):
    try:
        text = subprocess.run(['git', '-c', 'safe.directory=*', 'ls-files', '-z'], cwd=top, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return [p for p in os.fsdecode(text).split('\0') if p and os.path.isfile(os.path.join(top, p))]
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, files in os.walk(top):
            folders[:] = [f for f in folders if not f.startswith(('.', 'build', 'mnt'))]
            found += [os.path.relpath(os.path.join(folder, f), top) for f in files]
        return found


def main(arguments):
    top = arguments[0] if arguments else '.'
    files = arguments[1:] or tracked(top)
    files = [f for f in files if f.endswith(CODE) and f not in SKIPPED]
    problems = []
    for path in files:
        with open(os.path.join(top, path), encoding='utf-8') as file:
            problems += [(path, n, what) for n, what in check_file(path, file.read())]
    problems += check_format(top, [f for f in files if f.endswith(('.c', '.h'))])
    for path, number, what in sorted(problems):
        print(f'{path}:{number}: {what}')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
