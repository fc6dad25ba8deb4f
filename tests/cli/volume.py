# SPDX-License-Identifier: MIT
"""What the command's tests share: a place of their own, and cleaning up that leaves no mount and no process."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

BINARY = os.environ.get('PACTFS', 'build/pactfs')
TIMEOUT = 120


def mounts_below(folder):
    found = []
    with open('/proc/self/mounts', encoding='utf-8') as lines:
        for line in lines:
            point = line.split(' ')[1].encode().decode('unicode_escape')
            if point == folder or point.startswith(folder + '/'):
                found.append(point)
    return found


def listing(folder):
    """Everything below a folder with sizes and contents' hashes, to see that nothing changed."""
    found = []
    for where, folders, files in os.walk(folder):
        for name in folders:
            found.append((os.path.join(where, name), 'dir'))
        for name in files:
            if name == 'lock.mdb':
                continue  # LMDB's table of readers: says nothing that lasts
            path = os.path.join(where, name)
            try:
                with open(path, 'rb') as file:
                    found.append((path, hash(file.read())))
            except OSError:
                found.append((path, 'special'))
    return sorted(found)


class Case(unittest.TestCase):
    def setUp(self):
        self.top = os.path.realpath(tempfile.mkdtemp(prefix='pactfs-cli-'))
        self.home = os.path.join(self.top, 'home')
        self.mount = os.path.join(self.top, 'mnt')
        self.homes = {self.home}
        self.children = []
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(TIMEOUT)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
            for stream in (child.stdout, child.stderr):
                if stream:
                    stream.close()
        for home in self.homes:
            if os.path.exists(os.path.join(home, 'volume')):
                subprocess.run([BINARY, 'down', home], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.kill_left(home)
        for point in reversed(mounts_below(self.top)):
            subprocess.run(['umount', '-l', point], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top, ignore_errors=True)

    def pid(self, home=None):
        try:
            with open(os.path.join(home or self.home, 'state.json'), encoding='utf-8') as file:
                return json.load(file)['pid']
        except (OSError, ValueError):
            return 0

    def kill_left(self, home):
        """Only a process that still is a pactfs with this very home."""
        pid = self.pid(home)
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                words = file.read().split(b'\0')
        except OSError:
            return
        if home.encode() in words:
            os.kill(pid, signal.SIGKILL)

    def run_pactfs(self, *words, **options):
        return subprocess.run([BINARY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT, stdin=subprocess.DEVNULL, **options)

    def good(self, *words, code=0, **options):
        done = self.run_pactfs(*words, **options)
        self.assertEqual(done.returncode, code, f'{words}: {done.stdout}{done.stderr}')
        return done.stdout

    def bad(self, *words, code=1, says=(), **options):
        """Refused with one sentence on stderr that says all of `says`."""
        done = self.run_pactfs(*words, **options)
        self.assertEqual(done.returncode, code, f'{words}: {done.stdout}{done.stderr}')
        self.assertTrue(done.stderr.startswith('pactfs: '), done.stderr)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)
        return done.stderr

    def up(self, home=None, mount=None):
        if home:
            self.homes.add(home)
        return self.good('up', home or self.home, '--mount', mount or self.mount)

    def down(self, home=None):
        return self.good('down', home or self.home)

    def status(self, home=None, code=0):
        return json.loads(self.good('status', '--json', home or self.home, code=code))

    def segments(self):
        folder = os.path.join(self.home, 'volume', 'seg')
        return [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.endswith('.seg')]


def main():
    if not os.path.exists('/dev/fuse'):
        print('there is no /dev/fuse')
        sys.exit(77)
    unittest.main(verbosity=1)
