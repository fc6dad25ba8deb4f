#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that mutants.py and marks.py can fail, with programs that pretend to be the simulator and cut.

  mutants_test.py CUT_INSTRUMENTED
"""
import json
import os
import subprocess
import sys
import tempfile

import marks
import mutants

HERE = os.path.dirname(os.path.abspath(__file__))
# A mutant is caught from the seed on that SEEDS says; CLEAN fails without one; ABORT aborts.
PRETENDER = '''#!{python}
import json, os, sys
seeds = json.loads(os.environ['SEEDS'])
args = sys.argv[1:]
if '--list-mutants' in args:
    print(json.dumps([{{'name': n, 'text': 't'}} for n in seeds if n]))
    sys.exit(0)
if '--list-marks' in args:
    print(json.dumps([{{'name': n, 'text': 't'}} for n in ('often', 'rare')]))
    sys.exit(0)
mutant = args[args.index('--mutant') + 1] if '--mutant' in args else ''
sim = args[0] == 'sim'
if sim:
    first, last = map(int, args[args.index('--seeds') + 1].split('-'))
else:
    first = int(args[args.index('--seed') + 1])
    last = first + int(args[args.index('--volumes') + 1]) - 1
at = seeds.get(mutant, 1 << 60)
fails = first <= abs(at) <= last
if fails and at < 0:
    print('invariant broken: x (y.c:1)', file=sys.stderr)
    os.abort()
if not fails and os.environ.get('TROUBLE'):
    sys.exit(3)
marks = {{'often': last - first + 1, 'rare': 1 if first <= 40 <= last and os.environ.get('RARE') else 0}}
if sim:
    failure = {{'scenario': 's', 'seed': at, 'promise': 'p', 'text': 'why\\nmore'}} if fails else None
    print(json.dumps({{'seeds': last, 'simulated_ns': 1, 'failure': failure, 'marks': marks}}))
    sys.exit(5 if fails else 0)
if fails:
    print('FAILED in volume %d, after 3 cuts: what was recovered is no prefix' % at, file=sys.stderr)
    sys.exit(1)
print('figures')
print(json.dumps(marks))
'''


class Case:
    def __init__(self, folder):
        self.folder, self.program, self.failed = folder, os.path.join(folder, 'program'), 0
        with open(self.program, 'w', encoding='utf-8') as file:
            file.write(PRETENDER.format(python=sys.executable))
        os.chmod(self.program, 0o755)

    def run(self, script, arguments, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith('PACTFS_')}
        done = subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env={**clean, **environment})
        return done.returncode, done.stdout

    def mutants(self, what, code, says, arguments=(), only=('--sim', '--cut'), **environment):
        seeds = json.dumps(environment.pop('SEEDS'))
        programs = [word for option in only for word in (option, self.program)]
        self.judge(what, code, says, self.run('mutants.py', [*programs, *arguments], SEEDS=seeds, **environment))

    def marks(self, what, code, says, **environment):
        self.judge(what, code, says, self.run('marks.py', ['--cut', self.program, '--sim', self.program],
                                              SEEDS='{}', **environment))

    def judge(self, what, code, says, result):
        if result[0] == code and says in result[1]:
            return
        print(f'{what}: exit code {result[0]}, wanted {code} and "{says}" in:\n{result[1]}')
        self.failed += 1


def unknown_names(program):
    """Names that the scripts' tables hold, but not the program."""
    found = []
    for option, tables in (('--list-mutants', (mutants.SOAK_ONLY, mutants.ONLY)),
                           ('--list-marks', (marks.RARE, marks.ONLY))):
        out = subprocess.run([program, option], check=True, stdout=subprocess.PIPE, text=True).stdout
        known = {row['name'] for row in json.loads(out)}
        found += [name for table in tables for name in table if name not in known]
    return found


def main(arguments):
    stale = unknown_names(arguments[0])
    if stale:
        print('named by the scripts, but not in core/base/marks.h: ' + ', '.join(stale))
        return 1
    with tempfile.TemporaryDirectory() as folder:
        case = Case(folder)
        good = {'a': 1, 'b': 30}
        case.mutants('all are caught', 0, '2 of 2 mutants caught (2 by sim)', SEEDS=good)
        case.mutants('the seed is told', 0, '30 seeds', SEEDS=good)
        case.mutants('one is not caught', 1, 'b                            NOT CAUGHT by sim, cut',
                     SEEDS={'a': 1, 'b': 65})
        case.mutants('a higher limit', 0, '2 of 2', ['--limit', '100'], SEEDS={'a': 1, 'b': 65})
        case.mutants('by cut alone', 0, '(2 by cut)', only=['--cut'], SEEDS=good)
        case.mutants('an abort is bisected', 0, '22 seeds', SEEDS={'a': -22})
        case.mutants('an abort in cut\'s place', 1, 'ended with', only=['--cut'],
                     SEEDS={'a': -23})
        case.mutants('false alarm', 1, 'seed 7 fails without a mutant', SEEDS={'a': 1, '': 7})
        case.mutants('trouble is no catch', 1, 'ended with 3', SEEDS=good, TROUBLE='1')
        case.mutants('chosen by name', 0, '1 of 1', ['a'], SEEDS={'a': 1, 'b': 1000})
        case.mutants('an unknown name', 1, 'no such mutant: c', ['c'], SEEDS=good)
        case.mutants('no program', 2, 'nothing to catch', only=[], SEEDS=good)
        case.marks('every mark is hit', 0, 'rare', RARE='1')
        case.marks('a mark is never hit', 1, 'never: rare')
        return 1 if case.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
