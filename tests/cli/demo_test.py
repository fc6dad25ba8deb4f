#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pactfs demo from nothing to a mounted volume, hurt in each way it offers, and taken down: the volume answers throughout."""
import json
import os
import shutil
import subprocess
import time

import volume

WRITE_S = 20  # far beyond what failover promises: here it is about whether, not how soon


class Demo(volume.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which('etcd'):
            self.skipTest('etcd is not installed')
        self.dir = os.path.join(self.top, 'demo')
        self.addCleanup(self.end)

    def end(self):
        """Runs before the folder is removed, also after a failure in the middle."""
        self.run_pactfs('demo', 'down', '--dir', self.dir)

    def demo(self, *words, code=0):
        return self.good('demo', *words, '--dir', self.dir, code=code)

    def status(self, home=None, code=0):
        return json.loads(self.demo('status', '--json'))

    def states(self):
        return [node['state'] for node in self.status()['nodes']]

    def write(self, name, text):
        """By a process that can be given up when the volume does not answer."""
        path = os.path.join(self.mount, name)
        done = subprocess.run(['sh', '-c', 'printf %s "$1" > "$2" && cat "$2"', 'sh', text, path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=WRITE_S)
        self.assertEqual((done.returncode, done.stdout), (0, text), done.stderr)

    def heal(self):
        self.demo('heal')
        self.good('volume', 'show', 'demo', '--watch', '--home', os.path.join(self.dir, 'beta'))
        self.assertEqual(self.states(), ['running'] * 3)

    def test_demo(self):
        began = time.monotonic()
        text = self.demo('--mount', self.mount)
        took = time.monotonic() - began
        for word in ('node 3', 'mounted at', 'demo kill 1', 'demo down'):
            self.assertIn(word, text)
        self.assertLess(took, 60)
        self.assertEqual(volume.mounts_below(self.top), [self.mount])
        self.write('first', 'from the beginning')
        self.kill_primary()
        self.heal()
        self.cut_and_stop()
        self.explained()
        self.as_client()
        self.again()
        self.down()

    def kill_primary(self):
        primary = self.status()['volume']['view']['primary']
        self.demo('kill', str(primary))
        self.assertEqual(self.states()[primary - 1], 'killed')
        self.write('second', 'after the death of the primary')
        self.write('first', 'changed')
        view = self.status()['volume']['view']
        self.assertNotEqual(view['primary'], primary)
        self.assertNotIn(primary, view['members'])
        self.bad('demo', 'kill', str(primary), '--dir', self.dir, says=['does not run'])

    def cut_and_stop(self):
        self.demo('cut', '2')
        self.assertEqual(self.states()[1], 'cut off')
        self.write('third', 'with node 2 cut off')
        self.heal()
        self.demo('stop', '3')
        self.assertEqual(self.states()[2], 'stopped')
        self.write('fourth', 'with node 3 frozen')
        self.demo('cont', '3')
        self.heal()
        for name, text in (('first', 'changed'), ('second', 'after the death of the primary'),
                           ('third', 'with node 2 cut off'), ('fourth', 'with node 3 frozen')):
            with open(os.path.join(self.mount, name), encoding='utf-8') as file:
                self.assertEqual(file.read(), text)

    def explained(self):
        home = os.path.join(self.dir, 'gamma')
        topics = json.loads(self.good('explain', 'demo', '--home', home, '--json'))['topics']
        self.assertEqual([t['topic'] for t in topics],
                         ['see', 'durable', 'crash', 'loss', 'partition', 'versions', 'proof', 'now'])
        self.assertIn('3 of 3', ' '.join(topics[-1]['sentences']))
        self.assertIn('demo  3 of 3', self.good('volume', 'list', '--home', home))
        self.bad('explain', 'dmo', '--home', home, says=['no volume'])
        self.bad('volume', 'move', 'demo', 'gama', '--home', home, says=["did you mean 'gamma'"])
        self.good('volume', 'move', 'demo', 'gamma', '--home', home)
        self.assertEqual(self.status()['volume']['view']['primary'], 3)
        self.write('fifth', 'after a move')
        self.assertIn('clean', self.good('scrub', 'demo', '--home', home))
        self.bad('volume', 'delete', 'demo', '--home', home, says=['--yes'])

    def as_client(self):
        """A machine without a node: it asks by TLS, mounts, and may change nothing of the cell."""
        home, mount = os.path.join(self.top, 'client'), os.path.join(self.top, 'far')
        code = self.good('invite', '--client', '--home', os.path.join(self.dir, 'alpha')).strip()
        self.bad('join', code, home, '--listen', '127.0.0.1:4700', code=2, says=['leave --listen out'])
        self.good('join', code, home)
        self.bad('join', code, home + '2', says=['used already'])
        code = self.good('invite', '--home', os.path.join(self.dir, 'alpha')).strip()
        self.bad('join', code, home + '2', code=2, says=['--listen'])
        self.assertIn('gamma', self.good('nodes', '--home', home))
        self.bad('volume', 'create', 'mine', '--home', home, says=['role'])
        self.bad('mount', 'dem', mount, '--home', home, says=["did you mean 'demo'"])
        self.assertFalse(os.path.exists(mount))
        self.good('mount', 'demo', mount, '--home', home)
        self.write('sixth', 'seen elsewhere at once')
        with open(os.path.join(mount, 'sixth'), encoding='utf-8') as file:
            self.assertEqual(file.read(), 'seen elsewhere at once')
        state = json.loads(self.good('status', home, '--json'))
        self.assertEqual([(m['dir'], m['running']) for m in state['mounts']], [(mount, True)])
        self.bad('mount', 'demo', mount, '--home', home, says=['already'])
        self.good('umount', mount, '--home', home)
        self.bad('umount', mount, '--home', home, code=3)

    def again(self):
        """Stopped and kept, then up again with its data."""
        self.demo('down', '--keep')
        self.assertEqual(volume.mounts_below(self.top), [])
        self.assertIn('there is a demo', self.demo())
        with open(os.path.join(self.mount, 'fifth'), encoding='utf-8') as file:
            self.assertEqual(file.read(), 'after a move')

    def down(self):
        pids = [node['pid'] for node in self.status()['nodes']]
        self.demo('down')
        self.assertFalse(os.path.exists(self.dir))
        self.assertFalse(os.path.exists(self.mount))
        self.assertEqual(volume.mounts_below(self.top), [])
        for pid in pids:
            self.assertNotIn(self.dir, self.words_of(pid))
        self.demo('down', code=3)

    @staticmethod
    def words_of(pid):
        try:
            with open(f'/proc/{pid}/cmdline', encoding='utf-8', errors='replace') as file:
                return file.read()
        except OSError:
            return ''


if __name__ == '__main__':
    volume.main()
