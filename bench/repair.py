#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a replica comes back, and what the others' users feel of it: three node processes on this machine, a volume, a mount.

  bench/repair.py [--build DIR] [--files N] [--large-mib N] [--only NAME...] [--json FILE] [--dir DIR] [--keep]

  small   a replica whose disk was emptied; the volume has N files of 4 KiB
  log     a replica that was away during 1,000 changes, and during 5,000: from the log
  differ  a replica that was away for so long that the log is gone: only what differs is copied
  large   an emptied disk again; the volume has large files besides

While each repair runs, two programs use the mount: one makes durable files of 4 KiB, one reads files that no cache has. Their 99th
percentiles are compared with those of the seconds before, when the same node was away. Needs root and /dev/fuse.
"""
import argparse
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KIB4 = os.urandom(4096)


def percentile(values, share):
    """The least value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else 0.0


# --- programs on the mount ---

def write_file(path, data, sync=False):
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    try:
        os.write(file, data)
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def fill_one(where, worker, count):
    os.makedirs(f'{where}/{worker}', exist_ok=True)
    for number in range(count):
        write_file(f'{where}/{worker}/{number}', KIB4[number % 97:] + KIB4[:number % 97])


def fill(where, files, workers=24):
    os.makedirs(where, exist_ok=True)
    processes = [multiprocessing.Process(target=fill_one, args=(where, worker, files // workers)) for worker in range(workers)]
    began = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0, 'the volume could not be filled'
    return time.monotonic() - began


def fill_large(where, mib, each=64):
    os.makedirs(where, exist_ok=True)
    for number in range(0, mib, each):
        with open(f'{where}/{number}', 'wb') as file:
            for _ in range(min(each, mib - number)):
                file.write(os.urandom(1 << 20))


def foreground(kind, where, paths, ended, out):
    """One operation after another until it is ended: when each began, and how long it took."""
    done = []
    os.nice(-5)
    number = 0
    while not ended.is_set():
        began = time.monotonic()
        if kind == 'write':
            write_file(f'{where}/{os.getpid()}-{number}', KIB4, True)
        else:
            with open(paths[number % len(paths)], 'rb') as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                assert len(file.read()) == 4096
        done.append((began, time.monotonic() - began))
        number += 1
        ended.wait(0.003)
    out.put((kind, done))


class Foreground:
    def __init__(self, where, paths):
        self.ended, self.out = multiprocessing.Event(), multiprocessing.Queue()
        os.makedirs(where, exist_ok=True)
        self.processes = [multiprocessing.Process(target=foreground, args=(kind, where, paths, self.ended, self.out))
                          for kind in ('write', 'read')]
        for process in self.processes:
            process.start()

    def end(self):
        self.ended.set()
        done = dict(self.out.get() for _ in self.processes)
        for process in self.processes:
            process.join()
        return done


# --- the cell ---

class Cell:
    def __init__(self, build, where):
        os.environ['CELL_TOOL'] = f'{build}/tests/cell/cell_tool'
        os.environ['PACTFS'] = f'{build}/pactfs'
        sys.path.insert(0, os.path.join(TOP, 'tests', 'cell'))
        import cell  # noqa: E402  pylint: disable=import-outside-toplevel
        import mount_test  # noqa: E402  pylint: disable=import-outside-toplevel
        self.mount_of, self.top = mount_test.Mount, tempfile.mkdtemp(prefix='pactfs-repair-', dir=where)
        self.nodes, self.mounts = [cell.Node(self.top, name) for name in 'abc'], []

    def begin(self):
        first = self.nodes[0]
        self.tool('init', first.home, first.address, first.name)
        first.start()
        for node in self.nodes[1:]:
            self.tool('join', node.home, self.good('invite', role='node')['code'], node.address, node.name)
            node.start()
        self.wait(lambda: sum(row['alive'] for row in self.good('nodes')['nodes']) == 3)
        self.uuid = self.good('volume-create', name='v', contract='preset = strong\nreplicas = 3\n')['uuid']
        self.wait(lambda: self.members() == {1, 2, 3} and self.show().get('serves'))
        mount = self.mount_of(first.home, 'v', os.path.join(self.top, 'm'))
        self.mounts.append(mount)
        assert mount.ready.get('ok'), mount.ready
        self.where = mount.where

    def tool(self, *words):
        subprocess.run([os.environ['CELL_TOOL'], *words], check=True, stdout=subprocess.DEVNULL)

    def good(self, request, **words):
        answer = self.nodes[0].ask(request, **words)
        assert answer['ok'], answer
        return answer

    def show(self):
        return self.good('volume-show', volume='v')

    def members(self):
        return set((self.show()['view'] or {}).get('members', ()))

    def wait(self, true, seconds=600):
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, 'it takes too long'
            time.sleep(0.02)  # lint: sleep-ok other processes are looked at until they are ready

    def peak(self, node):
        """The most memory that a node's process ever had, in MiB."""
        with open(f'/proc/{node.process.pid}/status', encoding='utf-8') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('VmHWM')) / 1024

    def away(self, node):
        node.end(signal.SIGTERM)
        self.wait(lambda: node.number not in self.members())

    def end(self, keep):
        for mount in self.mounts:
            mount.end()
        for node in self.nodes:
            node.end(signal.SIGKILL)
        if not keep:
            shutil.rmtree(self.top, ignore_errors=True)


class Repairs:
    def __init__(self, cell, calm):
        self.cell, self.calm, self.done = cell, calm, []
        self.paths = []

    def victim(self):
        primary = self.cell.show()['view']['primary']
        return next(node for node in reversed(self.cell.nodes) if node.number != primary)

    def repair(self, name, node, before_start=lambda: None):
        """Starts the node, until it is a member again; what was copied, and what the programs felt."""
        programs = Foreground(f'{self.cell.where}/foreground-{name}', self.paths)
        time.sleep(self.calm)  # lint: sleep-ok the time for which the programs are measured without a repair
        before_start()
        began, last = time.monotonic(), {}
        node.start()
        started = time.monotonic()

        def back():
            show = self.cell.show()
            row = next(row for row in show['replicas'] if row['node'] == node.number)
            last.update(row.get('repair') or {})
            return node.number in (show['view'] or {}).get('members', ())
        self.cell.wait(back)
        ended = time.monotonic()
        felt = programs.end()
        row = {'name': name, 'start': started - began, 'seconds': ended - started, 'objects': last.get('objects', 0),
               'bytes': last.get('bytes', 0), 'load': os.getloadavg()[0], 'peak_mib': [self.cell.peak(one) for one in self.cell.nodes]}
        for kind, some in felt.items():
            for when, low, high in (('calm', began - self.calm, began), ('during', started, ended)):
                times = [took * 1000 for at, took in some if low <= at < high]
                row[f'{kind}_{when}'] = (len(times), percentile(times, 50), percentile(times, 99), max(times, default=0))
        row['slow'] = sorted(((round((at - started) * 1000), round(took * 1000), kind) for kind, some in felt.items() for at, took in some
                              if at + took >= started), key=lambda one: -one[1])[:6]
        self.done.append(row)
        self.print(row)
        return row

    def print(self, row):
        rate = row['bytes'] / max(row['seconds'], 1e-3) / 1e6
        print(f'{row["name"]:12} {row["seconds"]:7.2f} s (start {row["start"]:.2f})  {row["objects"]:8} objects '
              f'{row["bytes"] / 1e6:9.1f} MB  {rate:6.1f} MB/s  '
              f'peak MiB {" ".join(f"{mib:.0f}" for mib in row["peak_mib"])}  load {row["load"]:.1f}')
        for kind in ('write', 'read'):
            calm, during = row[f'{kind}_calm'], row[f'{kind}_during']
            print(f'    {kind:5} p50/p99/max ms  calm {calm[1]:.2f}/{calm[2]:.2f}/{calm[3]:.1f} ({calm[0]})  '
                  f'repairing {during[1]:.2f}/{during[2]:.2f}/{during[3]:.1f} ({during[0]})  '
                  f'p99 ratio {during[2] / max(calm[2], 1e-6):.2f}', flush=True)
        print('    slowest (ms from the start, took):', *(f'{kind} {at} {took}' for at, took, kind in row['slow']))

    def emptied(self, name, files):
        node = self.victim()
        self.cell.away(node)
        shutil.rmtree(f'{node.home}/volumes/{self.cell.uuid}/store')
        row = self.repair(name, node)
        row['files'] = files
        print(f'    {files / row["seconds"]:.0f} files/s', flush=True)

    def from_log(self, changes):
        node = self.victim()
        self.cell.away(node)
        fill(f'{self.cell.where}/missed-{changes}', changes // 3, 8)  # create, write, and the time of the folder: three each
        self.repair(f'log {changes}', node)

    def differs(self):
        node = self.victim()
        self.cell.away(node)
        for number in range(40):  # more than nodes keep of the log, and gone again
            fill_large(f'{self.cell.where}/passing', 64)
            shutil.rmtree(f'{self.cell.where}/passing')
        fill(f'{self.cell.where}/differ', 500, 5)
        self.repair('differ', node)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default=os.path.join(TOP, 'build'))
    parser.add_argument('--files', type=int, default=30000)
    parser.add_argument('--large-mib', type=int, default=2048)
    parser.add_argument('--only', nargs='*', default=['small', 'log', 'differ', 'large'])
    parser.add_argument('--repeats', type=int, default=1)
    parser.add_argument('--calm', type=float, default=4, help='seconds without a repair, to compare with')
    parser.add_argument('--dir', help='where the nodes keep their files (default: the folder for temporary files)')
    parser.add_argument('--json')
    parser.add_argument('--keep', action='store_true')
    options = parser.parse_args()
    if os.geteuid() != 0 or not os.path.exists('/dev/fuse'):
        sys.exit('repair.py: needs root and /dev/fuse')
    cell = Cell(os.path.abspath(options.build), options.dir)
    repairs = Repairs(cell, options.calm)
    try:
        cell.begin()
        took = fill(f'{cell.where}/small', options.files)
        repairs.paths = [f'{cell.where}/small/{worker}/{number}' for number in range(options.files // 24) for worker in range(24)]
        print(f'{options.files} files made in {took:.1f} s; load {os.getloadavg()[0]:.1f}', flush=True)
        if 'small' in options.only:
            for _ in range(options.repeats):
                repairs.emptied('small', options.files)
        if 'log' in options.only:
            repairs.from_log(1000)
            repairs.from_log(5000)
        if 'differ' in options.only:
            repairs.differs()
        if 'large' in options.only:
            fill_large(f'{cell.where}/large', options.large_mib)
            repairs.emptied('large', options.files)
    finally:
        if options.keep:
            print('kept:', cell.top)
        cell.end(options.keep)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump(repairs.done, file, indent=1)


if __name__ == '__main__':
    main()
