#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bits that flip in the files of replicas, while their nodes run: found, mended from the others, gone."""
import glob
import json
import os
import random
import signal
import subprocess

import cell
import mount_test

FILES = 200
MAGIC = b'PFR1'
PACTFS = os.environ['PACTFS']
DAMAGE = 4  # exit code


@cell.unittest.skipUnless(os.path.exists('/dev/fuse') and os.geteuid() == 0, 'needs /dev/fuse and root')
class Scrub(cell.Case):
    def setUp(self):
        super().setUp()
        self.mounts = []
        self.addCleanup(lambda: [mount.end(signal.SIGKILL) for mount in self.mounts])
        self.cell_of(3)
        self.uuid = self.volume('v')['uuid']
        self.wait_for('three members', lambda: len(self.members('v')) == 3, 30)

    def mount(self, name):
        mount = mount_test.Mount(self.nodes[0].home, 'v', os.path.join(self.top, name))
        self.mounts.append(mount)
        self.assertTrue(mount.ready.get('ok'), mount.ready)
        return mount

    def content(self, i):
        return random.Random(i).randbytes(200 + 97 * i)

    def verify(self, where):
        for i in range(FILES):
            with open(f'{where}/f{i}', 'rb') as file:
                self.assertEqual(file.read(), self.content(i), f'f{i}')
            self.assertFalse(os.path.exists(f'{where}/gone{i}'))

    def scrub(self):
        done = subprocess.run([PACTFS, 'scrub', 'v', '--home', self.nodes[0].home, '--json'], stdout=subprocess.PIPE, timeout=120, check=False)
        return done.returncode, json.loads(done.stdout)

    def records(self, node):
        """Of every record in the segment files of a node: file, offset, lengths of head and payload."""
        for path in sorted(glob.glob(os.path.join(node.home, 'volumes', self.uuid.replace('-', ''), 'store', 'seg', '*.seg'))):
            with open(path, 'rb') as file:
                data = file.read()
            at = 4096
            while data[at:at + 4] == MAGIC:
                head, payload = (int.from_bytes(data[at + k:at + k + 4], 'little') for k in (4, 8))
                yield path, at, head, payload
                at += (48 + head + payload + 7) & ~7

    def flip(self, node, heads, payloads):
        """Flips a bit in the heads, and in the payloads, of records chosen by chance."""
        chance = random.Random(7)
        records = list(self.records(node))
        self.assertGreater(len(records), 100)
        places = [(path, at + 48 + chance.randrange(head)) for path, at, head, _ in chance.sample(records, heads)]
        full = [record for record in records if record[3]]
        places += [(path, at + 48 + head + chance.randrange(payload)) for path, at, head, payload in chance.sample(full, payloads)]
        for path, place in places:
            with open(path, 'r+b') as file:
                file.seek(place)
                byte = file.read(1)[0]
                file.seek(place)
                file.write(bytes([byte ^ 16]))

    def damage(self, node):
        """Damages the node's copy; scrub finds and mends it, and finds nothing the next time."""
        self.flip(node, heads=9, payloads=20)
        code, found = self.scrub()
        self.assertEqual(code, DAMAGE, found)
        self.assertEqual([row['node'] for row in found['repairs']], [node.number], found)
        self.assertGreater(found['problems'], 15)
        self.assertGreater(found['objects'], 5)
        self.assertEqual((found['mended'], found['left']), (found['objects'], 0), found)
        self.assertNotEqual(found['repairs'][0]['from'], node.number)
        code, found = self.scrub()
        self.assertEqual((code, found['problems']), (0, 0), found)

    def test_rot(self):
        mount = self.mount('m')
        for i in range(FILES):
            for name in (f'f{i}', f'gone{i}'):
                with open(f'{mount.where}/{name}', 'wb') as file:
                    file.write(self.content(i))
            os.unlink(f'{mount.where}/gone{i}')
        os.sync()
        view = self.good(self.nodes[0], 'volume-show', volume='v')['view']
        backup, primary = (next(n for n in self.nodes if (n.number == view['primary']) == part) for part in (False, True))
        self.damage(backup)
        self.damage(primary)
        self.verify(mount.where)
        # the primary goes, and what was mended serves
        self.wait_for('three members of the registry', lambda: len(self.good(self.nodes[0], 'status')['registry']['members']) == 3, 30)
        self.assertEqual(mount.end(), 0)
        primary.end(signal.SIGKILL)
        for node in self.nodes:
            if node.process:
                self.wait_for('another primary', lambda: self.good(node, 'volume-show', volume='v')['view']['primary'] != view['primary'])
        primary.start()
        self.wait_for('three members', lambda: len(self.members('v')) == 3, 30)
        self.good(self.nodes[0], 'volume-move', volume='v', to=backup.number)
        again = self.mount('m2')
        self.verify(again.where)
        self.assertEqual(again.end(), 0)
        code, found = self.scrub()
        self.assertEqual((code, found['problems']), (0, 0), found)


if __name__ == '__main__':
    cell.unittest.main(verbosity=2)
