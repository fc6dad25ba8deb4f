#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A thousand clients of one node: each is served, and the node's memory stays within bounds."""
import json
import os
import subprocess

import cell

CLIENTS = int(os.environ.get('CROWD_CLIENTS', '1000'))
SECONDS = int(os.environ.get('CROWD_SECONDS', '22'))
MOST_MIB = 256


def resident(node):
    """What a node's process takes, in MiB."""
    with open(f'/proc/{node.process.pid}/status', encoding='utf-8') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmRSS')) / 1024


class Crowd(cell.Case):
    def test_crowd(self):
        self.cell_of(3)
        made = self.volume('v')
        self.wait_for('three members', lambda: self.members('v') == {1, 2, 3})
        primary = self.good(self.nodes[0], 'volume-show', volume='v')['view']['primary']
        node = next(node for node in self.nodes if node.number == primary)
        before = resident(node)
        places = [f'{one.number}={one.address}' for one in self.nodes]
        done = subprocess.run([os.environ['CROWD_TOOL'], node.home, 'client', made['uuid'], str(CLIENTS), str(SECONDS), *places],
                              stdout=subprocess.PIPE, text=True, timeout=90, check=False)
        after, said = resident(node), done.stdout.strip()
        print(f'{said} resident MiB before {before:.0f}, after {after:.0f}; load {os.getloadavg()[0]:.1f}', end=' ')
        told = json.loads(said)
        self.assertEqual((done.returncode, told['sessions'], told['errors']), (0, CLIENTS, 0))
        self.assertGreater(told['operations'], CLIENTS)
        self.assertEqual(self.good(node, 'volume-show', volume='v')['sessions'], CLIENTS)
        self.assertLess(after, MOST_MIB)


if __name__ == '__main__':
    cell.unittest.main(verbosity=2)
