#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scale.py PACTFS [--files N] [--wide N] [--dir DIR]: what many files cost.

Fills a volume with N files of lognormal sizes (mean about 6 KiB) and measures against stated bounds: a create with ten
thousand files there and with N; memory of the daemon; the time of a start after a stop and after kill -9; disk use against
the bytes stored, after cleaning; one directory of 100,000 entries; walking the tree; deleting most of it and what the disk
use is then. Ends with 1 when a bound is broken. Bounds on ratios are meant for a million files and a release build.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'tools'))
sys.dont_write_bytecode = True
import volume  # noqa: E402  (found through the path above)

FEW = 10_000
PER_FOLDER = 1000
PROBE = 2000
BATCHES = 9
CREATE_RATIO, START_SECONDS, RESIDENT_MIB, DISK_RATIO = 1.3, 1.0, 128, 1.15
KEPT = 10  # one file in ten outlives the deletion
MIB = 1 << 20
LONGEST_ANSWER = 600  # s: so that a request that is never answered is an error


def disk_bytes(path):
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # the cleaner was quicker
    return total


class Watch(threading.Thread):
    """Samples the daemon's memory: the greatest of each field, in KiB. VmHWM alone would hide which kind it is."""
    FIELDS = ('VmRSS', 'RssAnon', 'RssFile')

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, dict.fromkeys(self.FIELDS, 0), threading.Event()
        self.start()

    def sample(self):
        try:
            with open(f'/proc/{self.pid}/status', encoding='ascii') as status:
                for line in status:
                    name = line.split(':')[0]
                    if name in self.peak:
                        self.peak[name] = max(self.peak[name], int(line.split()[1]))
        except (FileNotFoundError, ProcessLookupError):
            self.ended.set()

    def run(self):
        while not self.ended.wait(0.05):
            self.sample()

    def take(self):
        """The peaks since the last call, in MiB."""
        peak, self.peak = self.peak, dict.fromkeys(self.FIELDS, 0)
        self.sample()
        return {name: value / 1024 for name, value in peak.items()}


class Scale:
    def __init__(self, options):
        self.options = options
        self.volume = volume.Volume(options.pactfs, volume.make_folder(options.dir))
        self.broken = []
        self.random = random.Random(1)
        self.block = os.urandom(MIB)
        self.stored = {}  # of 'many', by number
        self.watch = None

    def path(self, *names):
        return os.path.join(self.volume.mnt, *names)

    def say(self, text, value, bound=None):
        note = ''
        if bound is not None:
            note = f'   (at most {bound})' if value <= bound else f'   ABOVE {bound}'
            if value > bound:
                self.broken.append(f'{text}: {value:.2f}')
        print(f'{text:56} {value:12.2f}{note}', flush=True)

    def timed(self, text, work, bound=None):
        began = time.monotonic()
        result = work()
        self.say(text, time.monotonic() - began, bound)
        return result

    def start(self):
        self.volume.start()
        self.watch = Watch(self.volume.process.pid)

    def ask(self, *words):
        done = subprocess.run([self.volume.pactfs, *words, self.volume.home], check=True, stdout=subprocess.PIPE,
                              timeout=LONGEST_ANSWER)
        return done.stdout

    def status(self):
        return json.loads(self.ask('status', '--json'))

    def memory(self, when):
        peak = self.watch.take()
        cache = self.status().get('cache_bytes', 64 * MIB) / MIB
        print(f'  anonymous {peak["RssAnon"]:.1f} MiB, of files {peak["RssFile"]:.1f} MiB')
        self.say(f'most resident {when}, MiB', peak['VmRSS'], RESIDENT_MIB + cache)

    def disk_use(self, when, stored):
        """The volume's files on the disk against what the user stored, without the segments held ready."""
        self.timed(f'pactfs clean {when}, s', lambda: self.ask('clean'))
        self.ask('checkpoint')
        store = os.path.join(self.volume.home, 'volume')
        log, index = disk_bytes(os.path.join(store, 'seg')), disk_bytes(os.path.join(store, 'index'))
        print(f'  stored {stored / MIB:.1f} MiB, segments {log / MIB:.1f} MiB, index {index / MIB:.1f} MiB')
        print(f'  {json.dumps(self.status()["store"])}')
        return (log + index) / stored

    # --- the parts ---

    def write_file(self, path):
        size = min(int(self.random.lognormvariate(8.0, 1.2)), MIB)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        at = self.random.randrange(MIB - size + 1)
        os.write(fd, memoryview(self.block)[at:at + size])
        os.close(fd)
        return size

    def fill(self, first, last):
        for n in range(first, last):
            folder = self.path('many', str(n // PER_FOLDER))
            if n % PER_FOLDER == 0:
                os.mkdir(folder)
            self.stored[n] = self.write_file(f'{folder}/file-{n}')

    def create_batch(self, number):
        top = self.path(f'probe-{number}')
        os.mkdir(top)
        began = time.monotonic()
        for n in range(PROBE):
            os.close(os.open(f'{top}/{n}', os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        cost = (time.monotonic() - began) / PROBE * 1e6
        self.ask('sync')
        for n in range(PROBE):
            os.unlink(f'{top}/{n}')
        os.rmdir(top)
        self.ask('sync')
        return cost

    def create_cost(self):
        """Microseconds of one create: the median of some batches, none of which waits for the disk."""
        self.ask('checkpoint')
        costs = sorted(self.create_batch(n) for n in range(BATCHES))
        print('  batches: ' + ' '.join(f'{cost:.1f}' for cost in costs))
        return costs[BATCHES // 2]

    def many_files(self):
        os.mkdir(self.path('many'))
        self.fill(0, FEW)
        few = self.create_cost()
        self.say(f'create with {FEW} files, us', few)
        began = time.monotonic()
        self.fill(FEW, self.options.files)
        self.say('files written per second on the way', (self.options.files - FEW) / (time.monotonic() - began))
        self.memory('while filling')
        many = self.create_cost()
        self.say(f'create with {self.options.files} files, us', many)
        self.say('ratio', many / few, CREATE_RATIO)

    def start_times(self):
        """The journal's log is what a kill leaves to be replayed: as much as the limits allow, from a full load."""
        self.volume.stop()
        self.timed('start after a stop, s', self.start, START_SECONDS)
        top = self.path('late')
        os.mkdir(top)
        for turn in range(3):
            began = time.monotonic()
            for n in range(self.options.late):
                self.write_file(f'{top}/{turn}-{n}')
            self.ask('sync')
            print(f'  {self.options.late} more files in {time.monotonic() - began:.1f} s')
            self.volume.kill()
            self.timed('start after kill -9, s', self.start, START_SECONDS)
            print(f'  replayed {self.status()["store"]["replayed_records"]} records')
        self.timed('removing what was added, s', lambda: subprocess.run(['rm', '-r', top], check=True))
        self.memory('after starts')

    def big_directory(self):
        wide = self.path('wide')
        os.mkdir(wide)
        began = time.monotonic()
        for n in range(self.options.wide):
            os.close(os.open(f'{wide}/entry-{n}', os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        self.say(f'create in one directory of {self.options.wide}, us',
                 (time.monotonic() - began) / self.options.wide * 1e6)
        names = self.timed('listing it, s', lambda: os.listdir(wide))
        if len(set(names)) != self.options.wide or len(names) != self.options.wide:
            self.broken.append(f'the directory shows {len(names)} entries')
        self.timed('ls -l of it, s', lambda: subprocess.run(['ls', '-l', wide], check=True, stdout=subprocess.DEVNULL))
        self.timed('rm -r of it, s', lambda: subprocess.run(['rm', '-r', wide], check=True))

    def find(self):
        done = subprocess.run(['find', self.path('many'), '-type', 'f', '-size', '+0'], check=True,
                              stdout=subprocess.PIPE)
        found, wanted = done.stdout.count(b'\n'), sum(size > 0 for size in self.stored.values())
        if found != wanted:
            self.broken.append(f'find sees {found} files of {wanted}')

    def delete_most(self):
        for n in list(self.stored):
            if n % KEPT:
                os.unlink(self.path('many', str(n // PER_FOLDER), f'file-{n}'))
                del self.stored[n]

    def delete_rest(self):
        subprocess.run(['rm', '-r', self.path('many')], check=True)

    def run(self):
        try:
            self.start()
            self.many_files()
            self.say('disk use / stored', self.disk_use('when full', sum(self.stored.values())), DISK_RATIO)
            self.timed('find -size over all, s', self.find)
            self.memory('while walking')
            self.big_directory()
            self.memory('in the wide directory')
            self.start_times()
            self.timed(f'deleting all but one in {KEPT}, s', self.delete_most)
            self.memory('while deleting')
            self.say('disk use / stored', self.disk_use('after deleting', sum(self.stored.values())))
            self.timed('deleting the rest, s', self.delete_rest)
            self.say('disk use left, MiB', self.disk_use('when empty', MIB))
            self.volume.stop()
            self.timed('start when empty again, s', self.start, START_SECONDS)
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
    parser.add_argument('--wide', type=int, default=100_000)
    parser.add_argument('--late', type=int, default=30_000, help='files written before each kill')
    parser.add_argument('--dir', help='where the volume is made')
    signal.signal(signal.SIGTERM, leave)
    return Scale(parser.parse_args()).run()


if __name__ == '__main__':
    sys.exit(main())
