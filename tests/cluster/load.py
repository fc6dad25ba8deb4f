#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program that works on a mount without pause, and another that keeps what it was told.

    load.py DIR NAME OTHER     until its standard input ends; then one line of JSON: what was acknowledged, errors, the longest call

In turn: append a line to a file and fsync it; replace a file (write another, fsync, rename); make a directory; read what OTHER, the
same program on another mount, has replaced last: that number must never go back. `verify` compares what is there with what was
acknowledged: every line once and in order, and nothing but the one call that may have been under way.
"""
import errno
import json
import os
import select
import sys
import time

PER_FOLDER = 500


class Load:
    def __init__(self, folder, name, other):
        self.folder, self.name, self.other = folder, name, other
        self.count = self.reads = self.seen = 0
        self.acknowledged = {'append': -1, 'replace': -1, 'mkdir': -1}
        self.longest = self.began = 0.0
        self.errors = []

    def path(self, *words):
        return os.path.join(self.folder, *words)

    def append(self, number):
        with open(self.path(f'{self.name}.lines'), 'ab', buffering=0) as file:
            self.write(file, b'%d\n' % number)

    def replace(self, number):
        new = self.path(f'{self.name}.new')
        with open(new, 'wb', buffering=0) as file:
            self.write(file, b'%d\n' % number)
        os.rename(new, self.path(f'{self.name}.now'))

    def mkdir(self, number):
        if number % PER_FOLDER == 0:
            os.mkdir(self.path(f'{self.name}.{number // PER_FOLDER}'))
        os.mkdir(self.path(f'{self.name}.{number // PER_FOLDER}', f'{number}'))

    @staticmethod
    def write(file, data):
        written = file.write(data)
        if written != len(data):
            raise OSError(errno.EIO, f'{written} of {len(data)} bytes were written')
        os.fsync(file.fileno())

    def read(self, _):
        try:
            with open(self.path(f'{self.other}.now'), 'rb', buffering=0) as file:
                text = file.read(64)
        except FileNotFoundError:
            if self.seen:
                self.errors.append(f'{self.other}.now: was there, and is not')
            return
        number = int(text)
        if number < self.seen:
            self.errors.append(f'{self.other}.now went back from {self.seen} to {number}')
        self.seen = max(self.seen, number)
        self.reads += 1

    def timed(self, what, number):
        began = time.monotonic()
        try:
            what(number)
            self.acknowledged.update({what.__name__: number} if what.__name__ in self.acknowledged else {})
        except (OSError, ValueError) as error:
            self.errors.append(f'{what.__name__} {number}: {error!r}')
        took = time.monotonic() - began
        if took > self.longest:
            self.longest, self.began = took, began

    def run(self):
        while not select.select([sys.stdin], [], [], 0)[0] and len(self.errors) < 100:
            for what in (self.append, self.replace, self.mkdir, self.read):
                self.timed(what, self.count)
            self.count += 1
        print(json.dumps({'name': self.name, 'count': self.count, 'reads': self.reads, 'acknowledged': self.acknowledged,
                          'errors': self.errors, 'longest': self.longest, 'longest_began': self.began}), flush=True)


def verify(folder, told):
    """Compares a mount with what load.py said at its end; a list of sentences, empty when all is there."""
    name, last = told['name'], told['acknowledged']
    found = []

    def compare(what, numbers):
        if numbers != list(range(len(numbers))):
            at = next(i for i, number in enumerate(numbers) if number != i)
            found.append(f'{name}: {what}: {numbers[at]} where {at} belongs')
        if not last[what] < len(numbers) <= last[what] + 2:
            found.append(f'{name}: {what}: {len(numbers)} are there, {last[what] + 1} were acknowledged')

    with open(os.path.join(folder, f'{name}.lines'), encoding='ascii', errors='replace') as file:
        compare('append', [int(line) if line.strip().isdigit() else line for line in file])
    with open(os.path.join(folder, f'{name}.now'), encoding='ascii', errors='replace') as file:
        now = file.read().strip()
    if now not in (str(last['replace']), str(last['replace'] + 1)):
        found.append(f'{name}: replace: {now!r} is there, {last["replace"]} was acknowledged')
    made = []
    for number in range(0, last['mkdir'] + 1, PER_FOLDER):
        made += [int(entry) for entry in os.listdir(os.path.join(folder, f'{name}.{number // PER_FOLDER}'))]
    compare('mkdir', sorted(made))
    return found


if __name__ == '__main__':
    Load(*sys.argv[1:4]).run()
