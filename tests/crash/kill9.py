#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills the daemon at random moments under a mixed load and looks at what is left.

  kill9.py PACTFS [--rounds N] [--seed S] [--workers N]
  kill9.py --self-test         proves on an ordinary folder that each kind of loss is noticed

A round: start the daemon (a child), let the workers run, kill -9 the daemon, start it again (at times killing that start too),
compare with what the journals say (see load.py), compare what the round before left with its
fingerprint, scrub, remove old rounds. A failing round says what was lost and keeps the folder.
"""
import argparse
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
sys.dont_write_bytecode = True
import load    # noqa: E402  (found through the path above)
import volume  # noqa: E402

WORKER_SECONDS = 60


class Failure(Exception):
    pass


def start_workers(mount, journals, number, seeds):
    """Forks one process for each seed; (pid, pidfd, folder, journal) of each."""
    workers = []
    top = os.path.join(mount, f'round{number}')
    os.mkdir(top)
    for i, seed in enumerate(seeds):
        folder, journal = os.path.join(top, f'w{i}'), os.path.join(journals, f'round{number}-w{i}')
        pid = os.fork()
        if pid == 0:
            volume.die_with_parent()
            os._exit(0 if load.Worker(folder, journal, seed).run() else 1)
        workers.append((pid, os.pidfd_open(pid), folder, journal))
    return workers


def run_for(workers, seconds):
    """Returns after this time, or earlier when a worker has ended."""
    select.select([w[1] for w in workers], [], [], seconds)


def end_workers(workers):
    """Waits for workers whose volume is gone; raises when one does not end or had another error."""
    wrong = []
    for pid, pidfd, folder, _ in workers:
        if not select.select([pidfd], [], [], WORKER_SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)
            wrong.append(f'{folder}: hangs though the daemon is dead')
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(pidfd)
        if status > 0:
            wrong.append(f'{folder}: the worker had an error before the kill')
    if wrong:
        raise Failure('\n'.join(wrong))


def scrub(pactfs, home):
    done = subprocess.run([pactfs, 'scrub', home, '--json'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=600)
    if done.returncode != 0:
        raise Failure(f'scrub ended with {done.returncode}: {done.stdout.strip()}')


class Run:
    def __init__(self, options):
        self.options = options
        self.chance = random.Random(options.seed)
        self.where = volume.make_folder(os.environ.get('PACTFS_TEST_DIR'))
        self.volume = volume.Volume(options.pactfs, self.where)
        self.journals = os.path.join(self.where, 'journals')
        os.mkdir(self.journals)
        self.prints = {}  # of rounds that were verified: number -> fingerprint
        self.acks = 0
        self.slowest = 0.0

    def restart(self):
        while self.chance.random() < 0.15:  # a crash in the middle of recovery
            early = subprocess.Popen([self.volume.pactfs, 'serve', self.volume.home, '--mount', self.volume.mnt],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     preexec_fn=volume.die_with_parent)
            try:
                early.wait(self.chance.uniform(0, 0.1))
            except subprocess.TimeoutExpired:
                pass
            early.kill()
            early.wait()
        began = time.monotonic()
        self.volume.start()
        self.slowest = max(self.slowest, time.monotonic() - began)

    def verify(self, number, workers):
        problems = []
        for _, _, folder, journal in workers:
            if not os.path.exists(journal):
                continue
            problems += [f'{folder}: {p}' for p in load.verify(folder, journal)]
            with open(journal, encoding='ascii') as lines:
                self.acks += sum(json.loads(line)[0] == 'ack' for line in lines)
        for old, print_ in self.prints.items():
            if load.fingerprint(os.path.join(self.volume.mnt, f'round{old}')) != print_:
                problems.append(f'round {old} was complete, and has changed since')
        if problems:
            raise Failure('\n'.join(problems))

    def settle(self, number):
        """What was verified once must stay: takes its fingerprint, and lets go of the rounds before."""
        for old in list(self.prints):
            del self.prints[old]
            shutil.rmtree(os.path.join(self.volume.mnt, f'round{old}'))
        top = os.path.join(self.volume.mnt, f'round{number}')
        fd = os.open(top, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        self.prints[number] = load.fingerprint(top)
        for name in os.listdir(self.journals):
            os.unlink(os.path.join(self.journals, name))

    def round(self, number):
        seeds = [self.chance.getrandbits(48) for _ in range(self.options.workers)]
        workers = start_workers(self.volume.mnt, self.journals, number, seeds)
        try:
            run_for(workers, self.chance.uniform(0.02, 0.8))
            alive = self.volume.process.poll() is None
        finally:
            self.volume.kill()
            end_workers(workers)
        if not alive:
            raise Failure(f'the daemon ended by itself; its output:\n{self.volume.output()}')
        scrub(self.volume.pactfs, self.volume.home)  # as the kill left it: the tree hangs together too
        self.restart()
        self.verify(number, workers)
        scrub(self.volume.pactfs, self.volume.home)
        self.settle(number)

    def all(self):
        number = 0
        try:
            self.volume.start()
            for number in range(1, self.options.rounds + 1):
                self.round(number)
            self.volume.stop()
        except (Failure, RuntimeError, OSError, subprocess.TimeoutExpired) as problem:
            print(f'round {number} of {self.options.rounds}, seed {self.options.seed}: {problem}')
            self.volume.kill()
            volume.detach(self.volume.mnt)
            print(f'kept: {self.where}')
            return 1
        self.volume.remove()
        print(f'{self.options.rounds} rounds, seed {self.options.seed}: {self.acks} acknowledged facts all kept; '
              f'slowest start {self.slowest:.2f} s')
        return 0


# --- the proof that a loss is noticed ---

def rewrite(path, change):
    data = load.get(path)
    with open(path, 'wb') as file:
        file.write(change(data))


def newest_file(folder, facts):
    return os.path.join(folder, next(n for n in facts.files if n not in facts.going))


def newest_page(facts):
    return max(range(load.BLOB_PAGES), key=lambda p: facts.page_acked[p]) * load.PAGE


def damages(folder, facts):
    """(name, what to do) for each kind of loss."""
    def at(name):
        return os.path.join(folder, name)
    place = 'a/moving' if os.path.exists(at('a/moving')) else 'b/moving'
    key = max(facts.acked_keys, key=facts.acked_keys.get)
    p = newest_page(facts)
    return {
        'an older version': lambda: rewrite(at(key), lambda d: load.content(key, 0)),
        'half a version': lambda: rewrite(at(key), lambda d: d[:-1]),
        'a version never written': lambda: rewrite(at(key), lambda d: load.content(key, 1 << 31)),
        'a shorter log': lambda: rewrite(at('log'), lambda d: d[:facts.log_acked * load.RECORD - 1]),
        'a longer log': lambda: rewrite(at('log'), lambda d: d + b'x' * 5000),
        'a wrong record': lambda: rewrite(at('log'), lambda d: b'X' + d[1:]),
        'a lost page': lambda: rewrite(at('blob'), lambda d: d[:p] + load.page(0) + d[p + load.PAGE:]),
        'a torn page': lambda: rewrite(at('blob'), lambda d: d[:p + 512] + b'\0' * 512 + d[p + 1024:]),
        'a missing file': lambda: os.unlink(newest_file(folder, facts)),
        'an empty file': lambda: rewrite(newest_file(folder, facts), lambda d: b''),
        'a file come back': lambda: load.put(at(sorted(facts.gone)[0]), b''),
        'a gap': lambda: os.unlink(at('s000001')),
        'a name too many': lambda: load.put(at(f's{facts.sequence_started + 1:06}'), b''),
        'a move undone by half': lambda: os.unlink(at(place)),
        'a move doubled': lambda: (load.put(at('a/moving'), load.content('moving', 1)),
                                   load.put(at('b/moving'), load.content('moving', 1))),
        'half an exchange': lambda: rewrite(at('left'), lambda d: load.get(at('right'))),
        'a stranger': lambda: load.put(at('unknown'), b''),
    }


def self_test():
    where = volume.make_folder()
    try:
        for seed in range(100):  # until a run has made every kind of fact
            journal, folder = os.path.join(where, f'journal{seed}'), os.path.join(where, f'w{seed}')
            worker = load.Worker(folder, journal, seed)
            worker.prepare()
            for _ in range(120):
                worker.step()
            facts = load.Facts(journal)
            if facts.gone and facts.acked_keys and facts.log_acked and set(facts.files) - facts.going:
                break
        problems = load.verify(folder, journal)
        if problems:
            print('an undamaged folder was found wanting: ' + '; '.join(problems))
            return 1
        missed = []
        clean = load.fingerprint(folder)
        for name in damages(folder, facts):
            copy = os.path.join(where, 'copy')
            subprocess.run(['cp', '-a', folder, copy], check=True)
            damages(copy, facts)[name]()
            found = load.verify(copy, journal)
            print(f'{name}: {found[0] if found else "NOT NOTICED"}')
            if not found:
                missed.append(name)
            shutil.rmtree(copy)
        if load.fingerprint(folder) != clean:
            missed.append('the fingerprint is not stable')
        return 1 if missed else 0
    finally:
        shutil.rmtree(where)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pactfs', nargs='?')
    parser.add_argument('--rounds', type=int, default=200 if os.environ.get('PACTFS_SOAK') else 20)
    parser.add_argument('--seed', type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument('--workers', type=int, default=4)
    parser.add_argument('--self-test', action='store_true')
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    if not options.pactfs:
        parser.error('where is pactfs?')
    if not os.path.exists('/dev/fuse'):
        print('skipped: this machine has no /dev/fuse')
        return 77
    return Run(options).all()


if __name__ == '__main__':
    sys.exit(main())
