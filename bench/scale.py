#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scale.py PACTFS [--files N] [--dir DIR]: what many files cost.

Prints the cost of a create with ten thousand files there and with N (default a million), the same in one directory of 100,000
entries and how long reading that takes, the daemon's resident memory, the time of a start, and disk use against the bytes
stored after overwriting, deleting and cleaning. Ends with 1 when a bound that the documents state is broken.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'tools'))
sys.dont_write_bytecode = True
import volume  # noqa: E402  (found through the path above)

FEW = 10_000
PER_FOLDER = 1000
BIG_DIRECTORY = 100_000
PROBE = 2000
CREATE_RATIO, START_SECONDS, RESIDENT_MIB, DISK_RATIO = 1.3, 1.0, 128, 1.15
CACHE_MIB = 64  # the daemon's cache, which the bound on memory leaves out


class Scale:
    def __init__(self, options):
        self.options = options
        self.volume = volume.Volume(options.pactfs, volume.make_folder(options.dir))
        self.broken = []

    def path(self, *names):
        return os.path.join(self.volume.mnt, *names)

    def say(self, text, value, bound=None):
        note = ''
        if bound is not None:
            note = f'   (at most {bound})' if value <= bound else f'   ABOVE {bound}'
            if value > bound:
                self.broken.append(text)
        print(f'{text:52} {value:12.2f}{note}', flush=True)

    def sync(self):
        fd = os.open(self.volume.mnt, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def create(self, first, last):
        for n in range(first, last):
            folder = self.path('many', str(n // PER_FOLDER))
            if n % PER_FOLDER == 0:
                os.mkdir(folder)
            os.close(os.open(os.path.join(folder, f'file-{n}'), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))

    def create_cost(self, name):
        """Microseconds of one create; the median of five batches, each synced, removed afterwards."""
        costs = []
        for _ in range(5):
            top = self.path(name)
            os.mkdir(top)
            began = time.monotonic()
            for n in range(PROBE):
                os.close(os.open(os.path.join(top, str(n)), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            costs.append((time.monotonic() - began) / PROBE * 1e6)
            self.sync()
            for n in range(PROBE):
                os.unlink(os.path.join(top, str(n)))
            os.rmdir(top)
        return sorted(costs)[2]

    def many_files(self):
        os.mkdir(self.path('many'))
        self.create(0, FEW)
        few = self.create_cost('probe')
        self.say(f'create with {FEW} files, us', few)
        began = time.monotonic()
        self.create(FEW, self.options.files)
        self.say('creates per second on the way', (self.options.files - FEW) / (time.monotonic() - began))
        many = self.create_cost('probe')
        self.say(f'create with {self.options.files} files, us', many)
        self.say('ratio', many / few, CREATE_RATIO)
        self.say('resident, MiB', self.volume.resident() / 2**20, RESIDENT_MIB + CACHE_MIB)

    def big_directory(self):
        os.mkdir(self.path('wide'))
        began = time.monotonic()
        for n in range(BIG_DIRECTORY):
            os.close(os.open(self.path('wide', f'entry-{n}'), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        self.say(f'create in one directory of {BIG_DIRECTORY}, us', (time.monotonic() - began) / BIG_DIRECTORY * 1e6)
        began = time.monotonic()
        count = len(os.listdir(self.path('wide')))
        self.say('listing it, s', time.monotonic() - began)
        if count != BIG_DIRECTORY:
            self.broken.append(f'the directory shows {count} entries')

    def start_times(self):
        for way in ('stopped', 'killed'):
            self.sync()
            (self.volume.stop if way == 'stopped' else self.volume.kill)()
            began = time.monotonic()
            self.volume.start()
            self.say(f'start after it was {way}, s', time.monotonic() - began, START_SECONDS)
            self.say('resident after it, MiB', self.volume.resident() / 2**20, RESIDENT_MIB + CACHE_MIB)

    def status(self):
        done = subprocess.run([self.volume.pactfs, 'status', self.volume.home, '--json'], check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def disk_use(self):
        block = os.urandom(1 << 20)
        os.mkdir(self.path('data'))
        for turn in range(3):  # two thirds of what is written dies
            for n in range(40):
                fd = os.open(self.path('data', f'{n}'), os.O_CREAT | os.O_WRONLY, 0o644)
                for _ in range(8):
                    os.write(fd, block)
                os.fsync(fd)
                os.close(fd)
        for n in range(0, 40, 4):
            os.unlink(self.path('data', f'{n}'))
        self.sync()
        subprocess.run([self.volume.pactfs, 'clean', self.volume.home], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        print(json.dumps(self.status()), flush=True)

    def run(self):
        try:
            self.volume.start()
            self.many_files()
            self.big_directory()
            self.start_times()
            self.disk_use()
            self.volume.stop()
        finally:
            self.volume.remove()
        for text in self.broken:
            print(f'broken: {text}')
        return 1 if self.broken else 0


def leave(number, frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pactfs')
    parser.add_argument('--files', type=int, default=1_000_000)
    parser.add_argument('--dir')
    signal.signal(signal.SIGTERM, leave)
    return Scale(parser.parse_args()).run()


if __name__ == '__main__':
    sys.exit(main())
