#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Demands that the tests reach every rare branch of the core that carries a mark (core/base/marks.h).

  marks.py [--sim PROGRAM --scenarios FILE...] [--cut PROGRAM] [--replica PROGRAM]
           [--seeds N] [--sim-seeds N] [--json FILE]

Runs N seeds of cut and of each scenario (PACTFS_SOAK=1: 10,000) and prints how often each mark was hit. Exit code 1 when one never was. Those
in RARE are demanded under PACTFS_SOAK=1 only.
"""
import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from catcher import Trouble, catchers_of

SOAK_SEEDS = 10000
BATCH = 50
# Too rare for a test of some seconds: name, and how often they were hit in 10,000 seeds of cut and 3,000 of scenarios.
RARE = {'cleaner_deletions_last': 2, 'cleaner_gave_up': 10, 'recovery_refused': 7, 'log_waits_for_spare': 40,
        'checkpoint_not_at_close': 50, 'recovery_gap': 150}
# Only this program can reach these: the other has no such faults. Left out where it is not given.
ONLY = {'recovery_refused': 'sim', 'read_refused': 'sim'}
# Of a replicated volume: reached by its own scenarios, in a run of their own.
PRIMARY = (
    'candidate',
    'candidate_gave_up',
    'candidate_yields',
    'flush_refused',
    'heartbeat_of_old_view',
    'primary_restarted',
    'primary_resigned',
    'replica_cannot_read',
    'primary_stands_still',
    'proposal_unsure',
    'suspect_slow',
    'member_diverged',
    'member_lost_its_disk',
    'record_gap',
    'stream_rewound',
    'stream_from_log',
    'stream_log_gone',
    'snapshot_offered',
    'repair_gave_way',
    'copy_leaf_differs',
    'failure_repeated',
    'reply_repeated',
    'replica_broken',
)
# These need what the scenarios have not: connections that break, sessions that end, large volumes.
UNREACHED = (
    'tail_waited',           # a log that is written in pieces of records while it is read
    'recovery_began_again',  # a crash in the middle of making a large index again
    'proposal_lost',
    'suspect_lost',
    'stream_left_behind',
    'copy_asked_less',
    'donor_gave_up',
    'copy_leaf_same',
    'mend_other_version',
    'near_behind',
    'change_held',
    'session_expired',
)
ONLY.update({name: 'primary' for name in PRIMARY})
ONLY.update({name: 'nobody' for name in UNREACHED})


def count(catchers, seeds, jobs):
    """Adds up over all catchers; the sentences of what failed."""
    problems = []

    def one(catcher, first, last):
        failure = catcher.run(first, last, marks=True)
        if failure:
            problems.append(f'{catcher.name}: seed {failure.seed} fails: {failure.promise}: {failure.text}')

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(one, c, first, min(first + BATCH - 1, seeds[c.name]))
                     for c in catchers for first in range(1, seeds[c.name] + 1, BATCH)]:
            done.result()
    return problems


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sim')
    parser.add_argument('--scenarios', nargs='+', default=[])
    parser.add_argument('--primary')
    parser.add_argument('--cut')
    parser.add_argument('--replica')
    parser.add_argument('--seeds', type=int, default=200)
    parser.add_argument('--sim-seeds', type=int)
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 2)
    parser.add_argument('--json')
    options = parser.parse_args(arguments)
    soak = bool(os.environ.get('PACTFS_SOAK'))
    catchers = catchers_of(options)
    if not catchers:
        print('marks.py: nothing to run: give --sim, --cut or --replica')
        return 2
    try:
        table = {name: text for c in catchers for name, text in c.table('--list-marks').items()}
        quick = {'cut': options.seeds, 'replica': options.seeds, 'sim': options.sim_seeds or options.seeds,
                 'primary': options.sim_seeds or options.seeds}
        seeds = {c.name: SOAK_SEEDS if soak else quick[c.name] for c in catchers}
        problems = count(catchers, seeds, options.jobs)
    except Trouble as trouble:
        print(f'marks.py: {trouble}')
        return 1
    given = [c.name for c in catchers]
    for name, text in table.items():
        hits = {c.name: c.marks.get(name, 0) for c in catchers}
        print(f'{name:28} ' + ' '.join(f'{who} {n:<10}' for who, n in hits.items()) + text)
        if given == ['primary'] and name not in PRIMARY:
            continue
        if not any(hits.values()) and (soak or name not in RARE) and ONLY.get(name, given[0]) in given:
            problems.append(f'never: {name}: {text}')
    for problem in problems:
        print(problem)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({c.name: c.marks for c in catchers}, file, indent=1)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
