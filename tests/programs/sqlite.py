#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sqlite.py DIR: writers and readers of one database at once, with a rollback journal and with a write-ahead log.

Accounts with a constant total: every transaction moves money, every reader must see the total unchanged. At the end
the database must pass its integrity check and hold what the writers say they committed.
"""
import os
import random
import sqlite3
import sys

ACCOUNTS = 100
TOTAL = ACCOUNTS * 1000
WRITERS, READERS = 3, 2


def connect(path):
    db = sqlite3.connect(path, timeout=120, isolation_level=None)
    db.execute('pragma synchronous = full')
    return db


def make(path, mode):
    db = connect(path)
    got = db.execute(f'pragma journal_mode = {mode}').fetchone()[0]
    if got != mode:
        raise SystemExit(f'journal mode is {got}, should be {mode}')
    db.execute('create table accounts (id integer primary key, money integer not null, filler blob)')
    db.execute('create table moves (writer integer, number integer, primary key (writer, number))')
    db.executemany('insert into accounts values (?, 1000, ?)', [(i, bytes(500)) for i in range(ACCOUNTS)])
    db.close()


def write(path, who, moves):
    db, chance = connect(path), random.Random(who)
    for number in range(moves):
        a, b = chance.sample(range(ACCOUNTS), 2)
        amount = chance.randrange(1, 50)
        db.execute('begin immediate')
        db.execute('update accounts set money = money - ?, filler = ? where id = ?',
                   (amount, chance.randbytes(chance.randrange(2000)), a))
        db.execute('update accounts set money = money + ? where id = ?', (amount, b))
        db.execute('insert into moves values (?, ?)', (who, number))
        db.execute('rollback' if number % 17 == 16 else 'commit')
    db.close()


def read(path, times):
    db = connect(path)
    for _ in range(times):
        total = db.execute('select sum(money) from accounts').fetchone()[0]
        if total != TOTAL:
            raise SystemExit(f'a reader saw a total of {total}')
    db.close()


def in_child(function, *arguments):
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
            os._exit(0)
        except BaseException as problem:
            print(f'{function.__name__}: {problem!r}', flush=True)
            os._exit(1)
    return pid


def check(path, moves):
    db = connect(path)
    found = db.execute('pragma integrity_check').fetchall()
    if found != [('ok',)]:
        raise SystemExit(f'integrity check: {found[:5]}')
    if db.execute('select sum(money) from accounts').fetchone()[0] != TOTAL:
        raise SystemExit('the total has changed')
    should = sum(1 for n in range(moves) if n % 17 != 16) * WRITERS
    count = db.execute('select count(*) from moves').fetchone()[0]
    if count != should:
        raise SystemExit(f'{count} moves, should be {should}')
    db.execute('vacuum')
    db.close()


def main():
    folder = sys.argv[1]
    moves = 2000 if os.environ.get('PACTFS_SOAK') else 150
    for mode in ('delete', 'truncate', 'persist', 'wal'):
        path = os.path.join(folder, f'{mode}.db')
        make(path, mode)
        children = [in_child(write, path, who, moves) for who in range(WRITERS)]
        children += [in_child(read, path, moves * 2) for _ in range(READERS)]
        if any(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children):
            return 1
        check(path, moves)
        print(f'{mode}: {moves * WRITERS} transactions')
    return 0


if __name__ == '__main__':
    sys.exit(main())
