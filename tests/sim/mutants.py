#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Switches on every deliberate bug of the core (core/base/marks.h), one after another, and demands that it is noticed.

  mutants.py [--sim PROGRAM --scenarios FILE...] [--cut PROGRAM] [--replica PROGRAM] [--primary PROGRAM]
             [--manager PROGRAM] [--limit N] [--sim-limit N] [--clean N] [--json FILE] [MUTANT...]

For each mutant the first seed that fails is looked for, up to --sim-limit in the scenarios, then up to --limit in
cut (PACTFS_SOAK=1: 10,000 in both). Prints a line for each: name, catcher, seeds needed, seconds, what was broken.
Exit code 1 when one was not caught, or when --clean seeds without a mutant fail.
"""
import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from catcher import Trouble, catchers_of

SOAK_LIMIT = 10000
FIRST_BATCH = 8  # seeds; each next batch is twice as long
# These need more seeds than a test can afford: tried under PACTFS_SOAK=1 only. Name: seeds, as measured.
SOAK_ONLY = {}
# Of the store of a replica: power cuts under it alone.
REPLICA = (
    'note_not_logged',
    'recovery_base_lost',
    'tail_skips_gap',
    'tail_ignores_adopted',
    'tail_holds_nothing',
    'adopt_keeps_newer',
    'apply_keeps_divergent',
    'adopt_guards_nothing',
    'digest_without_stamp',
    'ship_payload_unchecked',
)
# Of a replicated volume: its own scenarios, in a run of their own.
PRIMARY = (
    'primary_serves_without_lease',
    'takeover_within_lease',
    'commit_without_all',
    'answer_before_committed',
    'read_not_waiting',
    'ack_before_durable',
    'record_over_gap',
    'view_without_condition',
    'reply_not_looked_up',
    'reply_not_kept',
    'copy_leaves_deleted',
    'copy_trusts_counts',
    'torn_takes_part',
    'empty_is_whole',
    'received_is_durable',
    'sessions_forgotten',
    'slots_share_replies',
    'copy_ends_early',
    'request_gets_new_serial',
    'join_before_durable',
)
# Of a replica manager, in histories that chance seldom makes: schedules by hand (tests/unit/replica/manager_test.c).
BY_HAND = (
    'join_before_has_all',
    'join_too_early',
    'candidate_takes_less',
    'candidate_alone',
    'flush_gives_nothing',
    'request_of_old_view',
    'old_request_taken',
    'failed_request_again',
    'commit_of_old_reign',
    'torn_not_noted',
    'mend_any_version',
    'orphan_reclaimed_at_once',
    'orphan_holders_not_asked',
)
# Only this catcher can notice these: the other has no such faults or operations. Left out where it is not given.
ONLY = {
    'read_unchecked': 'sim',          # a bit that flips in a file's data
    'recovery_trusts_cache': 'cut',   # a process that starts again after a disk error, on the same machine
    'write_set_loses_holes': 'cut',   # holes
    'punch_too_much': 'cut',
    'link_keeps_mark': 'cut',         # files made without a name
    'write_cuts_chunk': 'cut',        # writes into the middle
    'truncate_keeps_tail': 'cut',     # files cut and grown
}
ONLY.update({name: 'primary' for name in PRIMARY})
ONLY.update({name: 'manager' for name in BY_HAND})
ONLY.update({name: 'replica' for name in REPLICA})


def batches(limit):
    first, count = 1, FIRST_BATCH
    while first <= limit:
        last = min(first + count - 1, limit)
        yield first, last
        first, count = last + 1, count * 2


def first_failure(catcher, mutant, limit):
    """None, or the first. A run that only took too long is no proof: the next seeds are tried."""
    for first, last in batches(limit):
        while first <= last:
            failure = catcher.run(first, last, mutant)
            if not failure:
                break
            if failure.promise != 'hang':
                return failure
            first = failure.seed + 1
    return None


def hunt(catchers, mutant):
    """The row of one mutant."""
    start, tried = time.monotonic(), []
    for catcher in [c for c in catchers if ONLY.get(mutant, c.name) == c.name]:
        failure = first_failure(catcher, mutant, catcher.limit)
        if failure:
            return {'mutant': mutant, 'caught': True, 'catcher': catcher.name, 'seeds': failure.seed,
                    'scenario': failure.where, 'promise': failure.promise, 'text': failure.text,
                    'missed_by': tried, 'seconds': round(time.monotonic() - start, 1)}
        tried.append(catcher.name)
    return {'mutant': mutant, 'caught': False, 'missed_by': tried, 'seconds': round(time.monotonic() - start, 1)}


def safely(catchers, mutant):
    try:
        return hunt(catchers, mutant)
    except Trouble as trouble:
        return {'mutant': mutant, 'caught': False, 'trouble': str(trouble)}


def line_of(row):
    if not row['caught']:
        why = row.get('trouble') or f'NOT CAUGHT by {", ".join(row["missed_by"])}'
        return f'{row["mutant"]:28} {why}'
    where = row['scenario'] or row['catcher']
    return (f'{row["mutant"]:28} {where:16} {row["seeds"]:6} seeds {row["seconds"]:6.1f} s  '
            f'{row["promise"]}: {row["text"][:90]}')


def clean_run(catchers, count):
    """True when seeds without a mutant pass: a catcher that always fails catches everything."""
    good = True
    for catcher in catchers:
        failure = catcher.run(1, count) if count else None
        if failure:
            print(f'{catcher.name}: seed {failure.seed} fails without a mutant: {failure.promise}: {failure.text}')
            good = False
    return good


def choose(catchers, wanted, soak):
    table = {}
    for catcher in catchers:
        table.update(catcher.table('--list-mutants'))
    unknown = [name for name in wanted if name not in table]
    if unknown:
        raise Trouble('no such mutant: ' + ', '.join(unknown))
    if wanted:
        return wanted
    given = [catcher.name for catcher in catchers]
    if given[0] == 'primary':
        names = PRIMARY + (BY_HAND if 'manager' in given else ())
        return [name for name in names if soak or name not in SOAK_ONLY]
    left_out = [name for name in table if ONLY.get(name, given[0]) not in given]
    if left_out:
        print(f'left out, for want of their catcher: {", ".join(left_out)}')
    return [name for name in table if (soak or name not in SOAK_ONLY) and name not in left_out]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sim')
    parser.add_argument('--scenarios', nargs='+', default=[])
    parser.add_argument('--primary')
    parser.add_argument('--manager')
    parser.add_argument('--cut')
    parser.add_argument('--replica')
    parser.add_argument('--limit', type=int, default=64)
    parser.add_argument('--sim-limit', type=int)
    parser.add_argument('--clean', type=int, default=20)
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 2)
    parser.add_argument('--json')
    parser.add_argument('mutants', nargs='*')
    return parser.parse_args(arguments)


def report(rows, catchers, options):
    caught = [row for row in rows if row['caught']]
    by = {}
    for row in caught:
        by[row['catcher']] = by.get(row['catcher'], 0) + 1
    print(f'{len(caught)} of {len(rows)} mutants caught ({", ".join(f"{n} by {k}" for k, n in by.items())})')
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'limits': {c.name: c.limit for c in catchers}, 'mutants': rows}, file, indent=1)
    return len(caught) == len(rows)


def main(arguments):
    options = parse(arguments)
    soak = bool(os.environ.get('PACTFS_SOAK'))
    catchers = catchers_of(options)
    for catcher in catchers:
        quick = options.sim_limit if catcher.name == 'sim' and options.sim_limit else options.limit
        catcher.limit = SOAK_LIMIT if soak else quick
    if not catchers:
        print('mutants.py: nothing to catch them with: give --sim, --cut or --replica')
        return 2
    try:
        names = choose(catchers, options.mutants, soak)
        good = clean_run(catchers, SOAK_LIMIT if soak else options.clean)
    except Trouble as trouble:
        print(f'mutants.py: {trouble}')
        return 1
    rows = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda name: safely(catchers, name), names):
            print(line_of(row), flush=True)
            rows.append(row)
    return 0 if report(rows, catchers, options) and good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
