#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same seed is the same run: all scenarios with 1,000 seeds among them, twice, by different numbers of processes, and
once more by a program from another compiler. Compares the hash of everything that happened, of each scenario.

  determinism.py PACTFS SOURCES [--seeds N] [--no-build]

The other compiler is clang when that is installed (and built the first was not), else gcc without optimisation, which is
slow and therefore does fewer seeds. PACTFS_SOAK=1: ten times the seeds.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile


def traces(program, sources, seeds, jobs):
    """{scenario: (seeds, hash)} over seeds 1 to `seeds`."""
    done = subprocess.run([program, 'sim', '--seeds', f'1-{seeds}', '--jobs', str(jobs), '--json', '--trace',
                           '--keep-going', '--no-shrink', '--patience', '600'], cwd=sources, stdout=subprocess.PIPE)
    if done.returncode not in (0, 5):  # a broken promise is for other tests to report; it must be the same one
        raise SystemExit(f'{program} ended with {done.returncode}')
    return {row['scenario']: (row['seeds'], row['trace']) for row in json.loads(done.stdout)['scenarios']}


def compare(name, one, other):
    problems = [f'{scenario}: {one[scenario]} and {other.get(scenario)}' for scenario in sorted(one)
                if one[scenario] != other.get(scenario)]
    for problem in problems:
        print(f'{name}: {problem}')
    print(f'{name}: {sum(seeds for seeds, _ in one.values())} seeds of {len(one)} scenarios, '
          f'{"the same" if not problems else "NOT the same"}')
    return not problems


def compiler_of(program):
    words = subprocess.run(['readelf', '-p', '.comment', program], stdout=subprocess.PIPE, text=True).stdout
    return 'clang' if 'clang' in words else 'gcc'


def build(folder, sources, compiler):
    """A program of its own from the other compiler, or None after saying why."""
    options = ['-Dwerror=false', '-Ddebug=false', '-Doptimization=' + ('1' if compiler == 'clang' else '0')]
    environment = dict(os.environ, CC=compiler)
    for command in (['meson', 'setup', folder, sources, *options], ['ninja', '-C', folder, 'pactfs']):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(done.stdout[-2000:])
            return None
    return os.path.join(folder, 'pactfs')


def other_compiler(program, sources, seeds, reference):
    other = 'gcc' if compiler_of(program) == 'clang' else 'clang'
    slow = not shutil.which(other)
    if slow:
        print(f'{other} is not installed: gcc without optimisation instead')
        other, seeds = 'gcc', max(4, seeds // 8)
        reference = traces(program, sources, seeds, 2)
    folder = tempfile.mkdtemp(prefix='pactfs-other-')
    try:
        built = build(folder, sources, other)
        return bool(built) and compare(other + (' -O0' if slow else ''), reference, traces(built, sources, seeds, 2))
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('program')
    parser.add_argument('sources')
    parser.add_argument('--seeds', type=int, default=0)
    parser.add_argument('--no-build', action='store_true')
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    scenarios = sum(name.endswith('.scn') for name in os.listdir(os.path.join(options.sources, 'scenarios')))
    seeds = options.seeds or 1000 // scenarios + 1
    seeds *= 10 if os.environ.get('PACTFS_SOAK') else 1
    first = traces(program, options.sources, seeds, 2)
    good = compare('twice', first, traces(program, options.sources, seeds, 3))
    if not options.no_build:
        good = other_compiler(program, options.sources, seeds, first) and good
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
