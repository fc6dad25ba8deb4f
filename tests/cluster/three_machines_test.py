#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Three machines: init, invite, two joins, volume create, mount; as a person would type it, with everything in the background."""
import os
import shutil
import stat
import subprocess
import sys
import time
import unittest

import machines as mm


class ThreeMachines(unittest.TestCase):
    def setUp(self):
        self.machines = mm.Machines()
        self.addCleanup(self.machines.close)
        self.machines.__enter__()
        self.a, self.b, self.c = (self.machines.add(name) for name in 'abc')

    def everywhere(self, there):
        """The two mounts see the same, at once."""
        self.assertEqual([there(where) for where in self.mounts], [True, True])

    def make(self):
        self.a.run('init', self.a.home, '--listen', self.a.address, '--name', 'a')
        self.a.adopt()
        for machine in (self.b, self.c):
            code = self.a.run('invite', '--home', self.a.home).split()[0]
            machine.run('join', code, machine.home, '--listen', machine.address, '--name', machine.name)
            machine.adopt()
        self.a.run('volume', 'create', 'work', '--home', self.a.home)
        self.mounts = [self.a.mount('work', 'mount-a'), self.c.mount('work', 'mount-c')]

    def test_from_nothing(self):
        began = time.monotonic()
        self.make()
        one, two = self.mounts
        took = time.monotonic() - began
        self.assertLess(took, 60)
        print(f'from nothing to two mounts: {took:.1f} s')
        self.use(one, two)
        self.use(two, one)
        self.tree(one, two)
        self.assertEqual(len(self.b.json('nodes')['nodes']), 3)
        shown = self.b.json('volume', 'show', 'work')
        self.assertEqual(shown['view']['members'], [1, 2, 3])
        for machine, where in zip((self.a, self.c), self.mounts):
            self.assertLess(machine.umount(where), 20)
            self.assertFalse(os.path.ismount(where))
        for machine in (self.a, self.b, self.c):
            machine.run('down', machine.home)
            self.assertTrue(mm.wait_gone(machine.pid), 'the node did not end')
            machine.pid = 0

    def use(self, one, two):
        with open(f'{one}/file', 'wb', buffering=0) as file:
            for number in range(50):
                file.write(b'%03d\n' % number)
                with open(f'{two}/file', 'rb') as other:
                    self.assertEqual(other.read(), b''.join(b'%03d\n' % n for n in range(number + 1)))
                self.assertEqual(os.stat(f'{two}/file').st_size, 4 * (number + 1))
        os.mkdir(f'{one}/dir')
        os.rename(f'{two}/file', f'{two}/dir/other')
        self.everywhere(lambda where: os.listdir(where) == ['dir'] and os.listdir(f'{where}/dir') == ['other'])
        os.chmod(f'{one}/dir/other', 0o640)
        self.assertEqual(stat.S_IMODE(os.stat(f'{two}/dir/other').st_mode), 0o640)
        os.link(f'{one}/dir/other', f'{one}/again')
        self.everywhere(lambda where: os.stat(f'{where}/again').st_nlink == 2)
        os.symlink('dir/other', f'{two}/link')
        self.everywhere(lambda where: os.stat(f'{where}/link').st_size == 200)
        os.truncate(f'{two}/again', 10)
        self.everywhere(lambda where: os.stat(f'{where}/dir/other').st_size == 10)
        for name in ('link', 'again', 'dir/other'):
            os.unlink(f'{one}/{name}')
            self.assertFalse(os.path.lexists(f'{two}/{name}'))
        os.rmdir(f'{two}/dir')
        self.everywhere(lambda where: os.listdir(where) == [])

    def tree(self, one, two):
        """A tree of this project's own sources: unpacked on one machine, compared on the other."""
        here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        source = os.path.join(here, 'src', 'core', 'base')
        shutil.copytree(source, f'{one}/tree')
        done = subprocess.run(['diff', '-r', source, f'{two}/tree'], stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.stdout, '')
        shutil.rmtree(f'{two}/tree')
        self.everywhere(lambda where: os.listdir(where) == [])


if __name__ == '__main__':
    reason = mm.why_not()
    if reason:
        print(reason)
        sys.exit(77)
    unittest.main(verbosity=1)
