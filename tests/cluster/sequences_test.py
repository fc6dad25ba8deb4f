#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nodes that come and go one after another, and a registry that does: the volume goes on or waits, and heals by itself."""
import os
import signal
import sys
import threading
import time
import unittest

import machines as mm
import trial as trials

FILES = 20000
STEP_S = 30


class Sequences(unittest.TestCase):
    def setUp(self):
        self.machines = mm.Machines()
        self.addCleanup(self.machines.close)
        self.machines.__enter__()
        self.cell = trials.Cell(self.machines)
        self.cell.begin()
        self.where = self.cell.mounts[0]

    def tearDown(self):
        result = self._outcome.result
        if any(case is self for case, _ in result.failures + result.errors):
            for node in self.cell.nodes:
                print(f'--- {node.name}\n{node.log()[-4000:]}')

    def end(self):
        self.cell.wait_healthy()
        self.assertEqual(self.cell.end()[0], [])

    def write(self, name):
        """A durable file; how long it took."""
        began = time.monotonic()
        with open(f'{self.where}/{name}', 'wb', buffering=0) as file:
            file.write(name.encode())
            os.fsync(file.fileno())
        return time.monotonic() - began

    def members(self):
        view = self.cell.show().get('view')
        return view['members'] if view else []

    def until_members(self, wanted):
        mm.until(f'the members are {wanted}', lambda: self.members() == wanted, STEP_S)

    def test_views_that_split_others(self):
        """Writes under {1,2}, then {1,3}, then {2,3}: each view has a node that missed what the view before it wrote."""
        one, two, three = self.cell.nodes
        three.kill()
        self.until_members([1, 2])
        self.write('under-1-2')
        # Node 2 goes before node 3 has come back: one is left, and changes wait.
        two.kill()
        waits = threading.Thread(target=self.write, args=('waits',), daemon=True)
        waits.start()
        three.up()
        self.until_members([1, 3])
        waits.join(STEP_S)
        self.assertFalse(waits.is_alive(), 'a write waits though two replicas are there')
        self.write('under-1-3')
        one.kill()
        two.up()
        self.until_members([2, 3])
        self.write('under-2-3')
        one.up()
        self.cell.wait_healthy()
        for where in self.cell.mounts:
            for name in ('under-1-2', 'waits', 'under-1-3', 'under-2-3'):
                with open(f'{where}/{name}', 'rb') as file:
                    self.assertEqual(file.read(), name.encode())
        self.end()

    def test_all_killed(self):
        """All nodes at once, several times: what was acknowledged is there, and nobody has to do anything."""
        for number in range(3):
            self.write(f'before-{number}')
            for node in self.cell.nodes:
                node.kill()
            starters = [threading.Thread(target=node.up) for node in self.cell.nodes]
            for starter in starters:
                starter.start()
            for starter in starters:
                starter.join()
            self.cell.wait_healthy()
            for made in range(number + 1):
                with open(f'{self.where}/before-{made}', 'rb') as file:
                    self.assertEqual(file.read(), f'before-{made}'.encode())
        self.end()

    def test_long_away(self):
        """A node misses many files, most of which are gone again when it comes back."""
        away = self.cell.nodes[2]
        away.kill()
        self.until_members([1, 2])
        files = FILES if os.environ.get('PACTFS_SOAK') else FILES // 10
        os.mkdir(f'{self.where}/many')
        for number in range(files):
            with open(f'{self.where}/many/{number}', 'wb', buffering=0) as file:
                file.write(b'%d' % number * 100)
            if number % 4:
                os.unlink(f'{self.where}/many/{number}')
        began = time.monotonic()
        away.up()
        self.cell.wait_healthy()
        print(f'healthy {time.monotonic() - began:.1f} s after {files} files')
        # Only what the node has by itself counts: the others go.
        self.cell.clients[0].run('volume', 'move', trials.VOLUME, away.name, '--home', self.cell.clients[0].home, code=None)
        for number in range(0, files, 4):
            with open(f'{self.cell.mounts[1]}/many/{number}', 'rb') as file:
                self.assertEqual(file.read(), b'%d' % number * 100)
        self.assertEqual(len(os.listdir(f'{self.where}/many')), (files + 3) // 4)
        self.end()


class Registry(Sequences):
    test_views_that_split_others = test_all_killed = test_long_away = None

    def leader(self):
        for node in self.cell.nodes:
            status = trials.etcd_status(node)
            if status and status['leader'] == status['header']['member_id']:
                return node
        return None

    def writes_go_on(self, seconds, longest):
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            self.assertLess(self.write(f'goes-on-{number}'), longest)
            number += 1
        self.assertGreater(number, 10)

    def test_the_leader_is_killed(self):
        for _ in range(3):
            leader = mm.until('a leader', self.leader)
            for pid in leader.etcd():
                os.kill(pid, signal.SIGKILL)
            self.writes_go_on(2, 1)
            self.cell.wait_registry()
        self.end()

    def test_all_stand_still(self):
        """No majority, no leader, no answer; then a node fails when it is back."""
        for node in self.cell.nodes:
            node.stop(node.etcd())
        self.writes_go_on(8, 1)
        for node in self.cell.nodes:
            node.go_on()
        self.cell.wait_registry()
        self.cell.wait_healthy()
        primary = self.cell.node(self.cell.show()['view']['primary'])
        primary.kill()
        self.write('behind')
        primary.up()
        self.end()


if __name__ == '__main__':
    reason = mm.why_not()
    if reason:
        print(reason)
        sys.exit(77)
    unittest.main(verbosity=1)
