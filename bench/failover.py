#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long programs wait when a machine fails: real nodes in network namespaces, real mounts, real faults (tests/cluster/trial.py).

  bench/failover.py [--trials N] [--fault NAME] [--json FILE] [--keep] [KEY=VALUE...]

Prints a line for each trial and a table for each fault: from the fault to the first acknowledged write that began after it. Needs root.
Ends with 1 when anything was wrong: an error to a program, a lost write, a history that is not linearisable, something that hangs.
"""
import argparse
import datetime
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tests', 'cluster'))
import machines  # noqa: E402
import trial as trials  # noqa: E402


def percentile(values, share):
    """The least value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def row(name, some):
    first = [seconds for one in some for seconds in one['first']]
    return (name, len(some), statistics.median(first), percentile(first, 95), max(first), max(one['longest'] for one in some),
            max(one['umount'] for one in some), max(one['healthy'] for one in some), sum(len(one['wrong']) for one in some))


def table(done):
    lines = [('fault', 'trials', 'median', '95 %', 'worst', 'longest', 'umount', 'healthy', 'wrong')]
    names = list(dict.fromkeys(one['fault'] for one in done))
    rows = [row(name, [one for one in done if one['fault'] == name]) for name in names]
    rows.append(row('all', done))
    for name, *figures in rows:
        lines.append((name, str(figures[0]), *(f'{value:.2f}' for value in figures[1:-1]), str(figures[-1])))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print(line[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(line[1:], widths[1:])), sep='  ')
    within = [sum(seconds <= limit for one in done for seconds in one['first']) for limit in (2, 3)]
    total = sum(len(one['first']) for one in done)
    print(f'within 2 s: {within[0]} of {total}; within 3 s: {within[1]} of {total}')


def report(one):
    return {'fault': one.fault.name, 'workload': one.workload, 'first': one.first, 'longest': one.longest, 'umount': one.umounted,
            'healthy': one.healthy, 'undecided': one.undecided, 'wrong': one.wrong}


def run(options):
    done, last_words = [], []
    faults = [fault for fault in trials.FAULTS if not options.fault or fault.name in options.fault]
    if not faults:
        sys.exit('there is no such fault; there are: ' + ', '.join(fault.name for fault in trials.FAULTS))
    with machines.Machines(keep=options.keep) as some:
        cell = trials.Cell(some, options.contract)
        cell.begin()
        for number in range(options.trials):
            one = report(trials.Trial(cell, faults[number % len(faults)], number).run())
            done.append(one)
            print(f'{number + 1:4} {one["fault"]:34} {one["workload"]:9} first {" ".join(f"{s:.2f}" for s in one["first"])}  '
                  f'longest {one["longest"]:.2f}  umount {one["umount"]:.2f}  healthy {one["healthy"]:.2f}'
                  f'{"  UNDECIDED" if one["undecided"] else ""}', *one['wrong'], flush=True)
            if any('healthy' in sentence for sentence in one['wrong']):
                break  # what follows would say nothing
        last_words, told = cell.end()
        if options.keep:
            print('kept:', some.top)
    print('\n'.join(last_words))
    table(done)
    print('acknowledged by the programs that ran all the time:', sum(sum(one['acknowledged'].values()) + 3 for one in told),
          'and all there' if not last_words else '')
    return done, last_words


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--trials', type=int, default=100)
    parser.add_argument('--fault', action='append')
    parser.add_argument('--json')
    parser.add_argument('--keep', action='store_true', help='leave the folder with logs and histories')
    parser.add_argument('contract', nargs='*', metavar='KEY=VALUE', help='of the volume, on top of the preset strong')
    options = parser.parse_args()
    why = machines.why_not()
    if why:
        sys.exit('failover.py: ' + why)
    done, last_words = run(options)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'date': datetime.date.today().isoformat(), 'contract': options.contract, 'trials': done, 'end': last_words}, file,
                      indent=1)
    sys.exit(1 if last_words or any(one['wrong'] for one in done) else 0)


if __name__ == '__main__':
    main()
