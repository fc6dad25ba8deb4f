#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every scenario with distinct seeds, and what must be true of the whole: no promise is broken, every canary is caught, each
kind of fault that a scenario names has happened, at least MINUTES of virtual time were simulated.

  scenarios_test.py PACTFS [MINUTES]      PACTFS_SOAK=1: a hundred times as much
"""
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(TOP, 'scenarios')
LENGTH = 12  # seconds of virtual time that a seed has at least, in the mean over all scenarios
UNDECIDED = 0.03  # of the seeds: judging disk errors leaves doubt, and takes a search


def named_faults(scenario):
    with open(os.path.join(FOLDER, scenario + '.scn'), encoding='utf-8') as file:
        return set(re.findall(r'^fault\s*=\s*([a-z-]+)', file.read(), re.M))


def judge(report, minutes):
    """What is wrong with the report, as sentences."""
    problems = []
    for row in report['scenarios']:
        name = row['scenario']
        if not row['good']:
            problems.append(f'{name} is not as it must be: {row}')
        missing = named_faults(name) - set(row['faults'])
        if missing and row['expect'] == 'holds':
            problems.append(f'{name} never had {", ".join(sorted(missing))}')
        if row['undecided'] > max(2, row['seeds'] * UNDECIDED):
            problems.append(f'{name}: {row["undecided"]} of {row["seeds"]} checks took too long')
        if row['transactions'] < 20 * row['seeds']:
            problems.append(f'{name} does next to nothing: {row["transactions"]} transactions')
    simulated = report['simulated_ns'] / 60e9
    if simulated < minutes:
        problems.append(f'only {simulated:.0f} minutes were simulated, {minutes} are wanted')
    return problems


def main():
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 100.0
    if os.environ.get('PACTFS_SOAK'):
        minutes *= 100
    wanted = sorted(name[:-4] for name in os.listdir(FOLDER) if name.endswith('.scn'))
    seeds = max(20, int(minutes * 60 / LENGTH / len(wanted)) + 1)
    done = subprocess.run([os.path.abspath(sys.argv[1]), 'sim', '--seeds', f'1-{seeds}', '--json'], cwd=TOP,
                          stdout=subprocess.PIPE)
    report = json.loads(done.stdout)
    for row in report['scenarios']:
        ratio = row['simulated_ns'] / max(1, row['cpu_ns'])
        print(f'{row["scenario"]:20} {row["seeds"]:6} seeds {ratio:8.0f} x {row["transactions"]:9} transactions '
              f'{row["unknown"]:6} unknown {sum(row["faults"].values()):6} faults')
    if report['failure']:
        print(json.dumps({key: value for key, value in report['failure'].items() if key != 'transcript'}, indent=2))
        print('to see it: ' + report['failure'].get('replay', ''))
    problems = judge(report, minutes) if done.returncode in (0, 5) else ['it could not be run']
    problems += ['there is a scenario that was not run'] if len(report['scenarios']) != len(wanted) else []
    for problem in problems:
        print(problem)
    print(f'{report["simulated_ns"] / 60e9:.0f} minutes simulated in {report["real_ns"] / 1e9:.0f} s')
    return 1 if problems or done.returncode else 0


if __name__ == '__main__':
    sys.exit(main())
