#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A volume of three nodes, mounted: what was acknowledged outlives the primary, and no write fails."""
import json
import os
import signal
import subprocess
import threading
import time

import cell

PACTFS = os.environ['PACTFS']


class Mount:
    """The process behind a mount; the test is its parent."""

    def __init__(self, home, volume, where):
        os.makedirs(where, exist_ok=True)
        self.where = where
        ours, theirs = os.pipe()
        self.process = subprocess.Popen([PACTFS, 'agent', '--home', home, '--ready-fd', str(theirs), volume, where],
                                        pass_fds=[theirs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs)
        with os.fdopen(ours, encoding='utf-8') as ready:
            self.ready = json.loads(ready.readline() or '{"ok": false, "error": "it ended"}')

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            if os.path.ismount(self.where):
                subprocess.run(['umount', '-l', self.where], check=False)


class Writer(threading.Thread):
    """Makes files one after another, each durable; notes what was acknowledged, how long it took, and errors."""

    def __init__(self, where):
        super().__init__()
        self.where, self.ended = where, threading.Event()
        self.acknowledged, self.errors, self.longest, self.last = [], [], 0.0, 0.0

    def run(self):
        count = 0
        while not self.ended.is_set():
            name, began = f'file{count}', time.monotonic()
            try:
                with open(os.path.join(self.where, name), 'wb') as file:
                    file.write(name.encode())
                    file.flush()
                    os.fsync(file.fileno())
                self.acknowledged.append(name)
            except OSError as error:
                self.errors.append(f'{name}: {error}')
            self.last = time.monotonic()
            self.longest = max(self.longest, self.last - began)
            count += 1


@cell.unittest.skipUnless(os.path.exists('/dev/fuse') and os.geteuid() == 0, 'needs /dev/fuse and root')
class Mounted(cell.Case):
    def setUp(self):
        super().setUp()
        self.mounts = []
        self.addCleanup(self.unmount)

    def unmount(self):
        for mount in self.mounts:
            mount.end(signal.SIGKILL)

    def mount(self, node, volume, name):
        mount = Mount(node.home, volume, os.path.join(self.top, name))
        self.mounts.append(mount)
        self.assertTrue(mount.ready.get('ok'), mount.ready)
        return mount

    def disturb(self, disturbance, whole=False):
        """Three nodes, a volume, a writer on node 1's machine; `disturbance` of the primary while it writes."""
        self.cell_of(3)
        self.volume('v')
        self.good(self.nodes[0], 'volume-move', volume='v', to=2)
        self.wait_for('the primary is node 2', lambda: self.good(self.nodes[0], 'volume-show', volume='v')['view']['primary'] == 2)
        if whole:
            self.wait_for('three members', lambda: len(self.good(self.nodes[0], 'status')['registry']['members']) == 3, 30)
        mount = self.mount(self.nodes[0], 'v', 'm')
        writer = Writer(mount.where)
        writer.start()
        try:
            self.wait_for('the first files', lambda: len(writer.acknowledged) > 20)
            disturbance(self.nodes[1])
            before = len(writer.acknowledged)
            self.wait_for('files behind the disturbance', lambda: len(writer.acknowledged) > before + 20)
        finally:
            writer.ended.set()
            writer.join(30)
        self.assertEqual(writer.errors, [])
        self.assertLess(writer.longest, 6)
        second = self.mount(self.nodes[2], 'v', 'm2')
        for name in writer.acknowledged:
            with open(os.path.join(second.where, name), 'rb') as file:
                self.assertEqual(file.read(), name.encode())
        for one in (mount, second):
            self.assertEqual(one.end(), 0)
        return writer.longest

    def test_killed(self):
        print(f'longest write {self.disturb(lambda node: node.end(signal.SIGKILL)):.2f} s', end=' ')

    def test_stopped(self):
        print(f'longest write {self.disturb(lambda node: node.process.send_signal(signal.SIGSTOP)):.2f} s', end=' ')

    def test_moved(self):
        moved = self.disturb(lambda node: self.good(self.nodes[0], 'volume-move', volume='v', to=3))
        print(f'longest write {moved:.2f} s', end=' ')
        self.assertLess(moved, 2)

    def test_registry_stopped(self):
        """All members of the registry stand still: the volume goes on."""
        def stand_still(_):
            children = self.children()
            self.assertEqual(len(children), 3)
            for child in children:
                os.kill(child, signal.SIGSTOP)
            self.addCleanup(lambda: [os.kill(child, signal.SIGCONT) for child in children if os.path.exists(f'/proc/{child}')])
            self.wait_for('the registry is missed', lambda: not self.nodes[0].ask('status')['registry']['reachable'])
        print(f'longest write {self.disturb(stand_still, whole=True):.2f} s', end=' ')

    def children(self):
        """The etcd processes of the nodes."""
        found = []
        for node in self.nodes:
            with open(f'/proc/{node.process.pid}/task/{node.process.pid}/children', encoding='utf-8') as file:
                found += [int(word) for word in file.read().split()]
        return found

    def test_umount(self):
        """By the directory alone, whatever home the mount was made from; with umount(8), too. Nothing is left behind."""
        a = self.first()
        self.volume('v', replicas=2, text='least = 1\n')
        environment = {'PATH': os.environ['PATH'], 'HOME': self.top}
        for words, says in (([PACTFS, 'umount', 'm'], 'unmounted'), (['umount', 'm'], '')):
            mount = self.mount(a, 'v', 'm')
            with open(os.path.join(mount.where, 'file'), 'w', encoding='utf-8') as file:
                file.write('text')
            done = subprocess.run(words, cwd=self.top, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=30, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn(says, done.stdout)
            self.assertEqual(mount.process.wait(20), 0)
            self.assertFalse(os.path.ismount(mount.where))
            self.assertEqual(os.listdir(os.path.join(a.home, 'mounts')), [])
        done = subprocess.run([PACTFS, 'umount', 'm'], cwd=self.top, env=environment, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_wrong_name(self):
        a = self.first()
        self.volume('things', replicas=2, text='least = 1\n')
        began = time.monotonic()
        mount = Mount(a.home, 'thing', os.path.join(self.top, 'm'))
        self.mounts.append(mount)
        self.assertIn("did you mean 'things'", mount.ready['error'])
        self.assertLess(time.monotonic() - began, 2.5)


if __name__ == '__main__':
    cell.unittest.main(verbosity=2)
