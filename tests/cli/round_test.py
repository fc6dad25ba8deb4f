#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command when all goes well: up, status, explain, scrub, mount, down, and again."""
import json
import os
import signal
import subprocess
import time

import volume


class Round(volume.Case):
    def write(self, name='file', data=b'hello'):
        path = os.path.join(self.mount, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        return path

    def read(self, name='file'):
        with open(os.path.join(self.mount, name), 'rb') as file:
            return file.read()

    def test_life_of_a_volume(self):
        said = self.up()
        self.assertIn(self.mount, said)
        self.assertIn('fsync', said)
        self.assertIn('pactfs down', said)
        self.write()
        status = self.status()
        self.assertTrue(status['running'])
        self.assertEqual(status['mount'], self.mount)
        self.assertEqual(status['pid'], self.pid())
        self.assertFalse(status['store']['failed'])
        self.assertIn('healthy', self.good('status', self.home))
        self.assertIn('stopped', self.down())
        self.assertEqual(volume.mounts_below(self.top), [])
        self.assertEqual(self.status(code=3)['running'], False)
        self.up()
        self.assertEqual(self.read(), b'hello')
        self.assertEqual(self.status()['uuid'], status['uuid'])

    def test_up_twice_is_quick_and_no_error(self):
        self.up()
        pid = self.pid()
        begun = time.monotonic()
        self.assertIn('running already', self.up())
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual(self.pid(), pid)
        answer = json.loads(self.good('up', self.home, '--mount', self.mount, '--json'))
        self.assertEqual(answer['pid'], pid)
        self.assertEqual(len(answer['promise']), 3)

    def test_second_mount_is_refused(self):
        self.up()
        other = os.path.join(self.top, 'other')
        self.bad('up', self.home, '--mount', other, says=['mounted at ' + self.mount, 'mount --bind'])
        self.assertFalse(os.path.exists(other))
        self.bad('mount', other, self.home, says=['one mount'])
        self.assertFalse(os.path.exists(other))

    def test_umount_and_mount_again(self):
        self.up()
        self.write()
        self.assertIn('stays up', self.good('umount', self.home))
        self.assertEqual(volume.mounts_below(self.top), [])
        self.assertIsNone(self.status()['mount'])
        self.bad('umount', self.home, says=['not mounted'])
        other = os.path.join(self.top, 'other')
        self.good('mount', other, self.home)
        with open(os.path.join(other, 'file'), 'rb') as file:
            self.assertEqual(file.read(), b'hello')
        self.good('umount', self.home)
        self.assertIn('mounted again', self.up())
        self.assertEqual(self.read(), b'hello')

    def test_unmounted_from_outside(self):
        if os.geteuid() != 0:
            self.skipTest('needs root')
        self.up()
        self.write()
        subprocess.run(['umount', self.mount], check=True)
        self.assertIn('mounted again', self.up())
        self.assertEqual(self.read(), b'hello')

    def test_killed_node_leaves_nothing_in_the_way(self):
        self.up()
        self.write()
        server = self.pid()
        os.kill(server, signal.SIGKILL)
        # The node is not our child: its lock tells when it is gone.
        subprocess.run(['flock', os.path.join(self.home, 'lock'), 'true'], check=True, timeout=volume.TIMEOUT)
        self.up()
        self.assertEqual(self.read(), b'hello')
        os.kill(self.pid(), signal.SIGKILL)
        subprocess.run(['flock', os.path.join(self.home, 'lock'), 'true'], check=True, timeout=volume.TIMEOUT)
        self.assertIn('nothing was running', self.down())
        self.assertEqual(volume.mounts_below(self.top), [])

    def test_serve_in_the_foreground(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            child = subprocess.Popen([volume.BINARY, 'serve', self.home, '--mount', self.mount],
                                     stderr=subprocess.PIPE, text=True)
            self.children.append(child)
            for line in child.stderr:
                if 'usable' in line:
                    break
            self.write()
            self.assertEqual(self.pid(), child.pid)
            child.send_signal(number)
            rest = child.stderr.read()
            self.assertEqual(child.wait(volume.TIMEOUT), 0)
            self.assertIn('stopped', rest)
            self.assertEqual(volume.mounts_below(self.top), [])

    def test_explain(self):
        self.up()
        live = self.good('explain', self.home)
        for words in ('fsync', 'syncfs', 'at most 1 s', 'one disk', self.mount):
            self.assertIn(words, ' '.join(live.split()))
        topics = json.loads(self.good('explain', '--json', self.home))['topics']
        self.assertEqual([t['topic'] for t in topics],
                         ['see', 'durable', 'crash', 'loss', 'partition', 'versions', 'proof', 'now'])
        self.down()
        self.assertIn('not running', self.good('explain', self.home))

    def test_scrub(self):
        self.up()
        self.write(data=os.urandom(300000))
        self.assertIn('clean', self.good('scrub', self.home))
        online = json.loads(self.good('scrub', '--json', self.home))
        self.assertEqual(online['problems'], 0)
        self.assertGreater(online['bytes'], 300000)
        self.down()
        before = volume.listing(self.home)
        offline = json.loads(self.good('scrub', '--json', self.home))
        self.assertEqual(offline['problems'], 0)
        self.assertGreater(offline['records'], 0)
        self.assertEqual(volume.listing(self.home), before)

    def test_scrub_finds_damage(self):
        self.up()
        data = os.urandom(300000)
        self.write(data=data)
        self.down()
        where = None
        for path in self.segments():
            with open(path, 'rb') as file:
                at = file.read().find(data[1000:1100])
            if at >= 0:
                where = path, at
        self.assertIsNotNone(where)
        with open(where[0], 'r+b') as file:
            file.seek(where[1])
            byte = file.read(1)[0]
            file.seek(where[1])
            file.write(bytes([byte ^ 1]))
        said = self.good('scrub', self.home, code=4)
        self.assertIn(os.path.basename(where[0]), said)
        report = json.loads(self.good('scrub', '--json', self.home, code=4))
        self.assertGreater(report['problems'], 0)
        self.up()
        with self.assertRaises(OSError):
            self.read()
        self.assertIn(os.path.basename(where[0]), self.good('scrub', self.home, code=4))

    def test_store_requests(self):
        self.up()
        path = self.write(data=os.urandom(1 << 20))
        os.unlink(path)
        for word in ('sync', 'checkpoint', 'clean'):
            self.good(word, self.home)
        self.down()
        for word in ('sync', 'umount'):
            self.bad(word, self.home, code=3, says=['nothing is running'])

    def test_places(self):
        """Relative paths, blanks, quotes, and a home too long for a socket's address."""
        home = 'a home "with" blanks'
        mount = "mount 'here'"
        deep = os.path.join(self.top, *['d' * 60] * 5)
        os.makedirs(deep)
        for home, mount in ((home, mount), (os.path.join(deep, 'home'), os.path.join(deep, 'mnt'))):
            full = os.path.join(self.top, home)
            self.homes.add(full)
            self.good('up', home, '--mount', mount, cwd=self.top)
            self.assertEqual(self.status(full)['mount'], os.path.join(self.top, mount))
            self.good('scrub', home, cwd=self.top)
            self.good('down', home, cwd=self.top)

    def test_defaults(self):
        env = dict(os.environ, XDG_DATA_HOME=os.path.join(self.top, 'x', 'data'))
        home = os.path.join(self.top, 'x', 'data', 'pactfs')
        self.homes.add(home)
        said = self.good('up', cwd=self.top, env=env)
        self.assertIn(os.path.join(self.top, 'mnt'), said)
        self.assertEqual(self.status(home)['mount'], os.path.join(self.top, 'mnt'))
        self.good('down', cwd=self.top, env=env)

    def test_home_is_private(self):
        self.up()
        for name, mode in (('', 0o700), ('control', 0o600), ('log', 0o600), ('state.json', 0o600)):
            found = os.stat(os.path.join(self.home, name)).st_mode & 0o777
            self.assertEqual(found, mode, name)

    def test_help_and_version(self):
        self.assertRegex(self.good('--version'), r'^pactfs \d+\.\d+\.\d+\n$')
        overview = self.good('--help')
        commands = [line.split()[1] for line in overview.splitlines() if line.startswith('  pactfs ')]
        for command in commands:
            if command in ('COMMAND', '--version'):
                continue
            self.assertIn(f'  pactfs {command}', self.good(command, '--help'))
            self.assertEqual(self.good(command, '--help'), self.good('help', command))

    def test_not_root(self):
        if os.geteuid() != 0:
            self.skipTest('is not root anyway')
        fusermount = '/usr/bin/fusermount3'
        if not os.path.exists(fusermount) or not os.stat(fusermount).st_mode & 0o4000:
            self.skipTest('no fusermount3')
        if os.stat('/dev/fuse').st_mode & 0o006 != 0o006:
            self.skipTest('/dev/fuse is open to root only')
        binary = os.path.join(self.top, 'pactfs')
        subprocess.run(['install', '-m', '755', volume.BINARY, binary], check=True)
        os.chmod(self.top, 0o777)

        def as_nobody(*words):
            return subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', binary, *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=volume.TIMEOUT)
        done = as_nobody('up', self.home, '--mount', self.mount)
        self.assertEqual(done.returncode, 0, done.stdout)
        done = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c',
                               'echo mine > "$1"/f && cat "$1"/f', 'sh', self.mount], stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.stdout, 'mine\n')
        done = as_nobody('down', self.home)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(volume.mounts_below(self.top), [])


if __name__ == '__main__':
    volume.main()
