#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bad input: each refused with a sentence, exit code not zero, and nothing changed."""
import errno
import fcntl
import os
import socket
import subprocess

import volume


class Bad(volume.Case):
    def make_volume(self, data=b'', files=1):
        self.up()
        for i in range(files):
            with open(os.path.join(self.mount, f'file{i}'), 'wb') as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        self.down()

    def refused(self, *words, code=1, says=()):
        """Refused, nothing below the top changed, nothing mounted."""
        before = volume.listing(self.top)
        text = self.bad(*words, code=code, says=says)
        self.assertEqual(volume.listing(self.top), before)
        self.assertEqual(volume.mounts_below(self.top), [])
        return text

    def up_refused(self, says=(), home=None):
        return self.refused('up', home or self.home, '--mount', self.mount, says=says)

    # --- the home ---

    def test_home_is_something_else(self):
        os.mkdir(self.home)
        with open(os.path.join(self.home, 'thesis.txt'), 'w', encoding='utf-8') as file:
            file.write('mine')
        self.up_refused(says=['not a PactFS home', 'thesis.txt', 'new directory'])
        for command in ('status', 'scrub', 'explain', 'down'):
            self.refused(command, self.home, says=['not a PactFS home'])
        self.refused('serve', self.home, says=['not a PactFS home'])

    def test_home_with_a_log_only_is_something_else(self):
        os.mkdir(self.home)
        with open(os.path.join(self.home, 'log'), 'w', encoding='utf-8') as file:
            file.write('mine')
        self.up_refused(says=['not a PactFS home', 'log'])

    def test_home_is_a_file(self):
        with open(self.home, 'w', encoding='utf-8') as file:
            file.write('mine')
        self.up_refused(says=['not a directory'])

    def test_home_below_nothing(self):
        self.up_refused(home=os.path.join(self.top, 'no', 'home'), says=['directory above', 'does not exist'])

    def test_home_is_missing(self):
        for command in ('scrub', 'explain', 'down', 'sync'):
            self.refused(command, self.home, says=['no PactFS home', 'pactfs up'])
        self.good('status', self.home, code=3)

    def test_volume_is_not_a_store(self):
        os.makedirs(os.path.join(self.home, 'volume'))
        with open(os.path.join(self.home, 'lock'), 'w', encoding='utf-8'):
            pass
        self.bad('up', self.home, '--mount', self.mount, says=['not a PactFS store'])
        self.assertEqual(os.listdir(os.path.join(self.home, 'volume')), [])
        self.assertFalse(os.path.exists(self.mount))

    def damaged(self, says):
        """A store that cannot be opened: up and scrub say why; the store is as it was."""
        before = volume.listing(os.path.join(self.home, 'volume'))
        os.rmdir(self.mount)
        self.bad('up', self.home, '--mount', self.mount, says=says)
        self.bad('scrub', self.home, code=4, says=says)
        self.assertEqual(volume.listing(os.path.join(self.home, 'volume')), before)
        self.assertEqual(volume.mounts_below(self.top), [])
        self.assertFalse(os.path.exists(self.mount))

    def test_newer_format(self):
        self.make_volume()
        path = os.path.join(self.home, 'volume', 'format')
        with open(path, 'r+b') as file:
            data = bytearray(file.read())
            self.assertEqual(data[:2], b'\x08\x01')  # field 1, the version
            data[1] = 9
            file.seek(0)
            file.write(data)
        before = volume.listing(os.path.join(self.home, 'volume'))
        self.bad('up', self.home, '--mount', self.mount, says=['newer version'])
        self.bad('scrub', self.home, says=['newer version'])
        self.assertEqual(volume.listing(os.path.join(self.home, 'volume')), before)

    def test_damaged_format(self):
        self.make_volume()
        with open(os.path.join(self.home, 'volume', 'format'), 'wb') as file:
            file.write(b'\x08')
        self.bad('up', self.home, '--mount', self.mount, says=['format'])

    def test_missing_segment(self):
        self.make_volume(os.urandom(8 << 20), files=8)
        segments = self.segments()
        self.assertGreater(len(segments), 1)
        os.unlink(segments[0])
        self.damaged([os.path.basename(segments[0])])

    def test_short_segment(self):
        self.make_volume(os.urandom(8 << 20), files=8)
        segment = self.segments()[0]
        os.truncate(segment, os.path.getsize(segment) // 2)
        self.damaged([os.path.basename(segment)])

    def test_rebuild_index(self):
        data = os.urandom(1 << 20)
        self.make_volume(data, files=3)
        self.good('up', self.home, '--mount', self.mount, '--rebuild-index')
        self.assertGreater(self.status()['store']['replayed_records'], 0)
        for i in range(3):
            with open(os.path.join(self.mount, f'file{i}'), 'rb') as file:
                self.assertEqual(file.read(), data)
        self.bad('up', self.home, '--rebuild-index', says=['is running', 'pactfs down'])
        self.assertTrue(self.status()['running'])
        self.assertIn('clean', self.good('scrub', self.home))

    def test_in_use(self):
        self.make_volume()
        with open(os.path.join(self.home, 'lock'), 'rb') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.up_refused(says=['in use by another process'])
            self.refused('scrub', self.home, says=['in use by another process'])
        self.up()

    def on_small_disk(self, size):
        if os.geteuid() != 0:
            self.skipTest('needs root')
        disk = os.path.join(self.top, 'disk')
        os.mkdir(disk)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', disk], check=True)
        self.home = os.path.join(disk, 'home')
        self.homes.add(self.home)
        return disk

    def test_read_only_disk(self):
        disk = self.on_small_disk('256m')
        self.make_volume(b'x' * 100000)
        subprocess.run(['mount', '-o', 'remount,ro', disk], check=True)
        self.bad('up', self.home, '--mount', self.mount, says=['ead-only'])
        self.assertIn('clean', self.good('scrub', self.home))
        self.bad('up', os.path.join(disk, 'other'), '--mount', self.mount, says=['ead-only'])
        subprocess.run(['mount', '-o', 'remount,rw', disk], check=True)
        self.up()

    def test_full_disk(self):
        disk = self.on_small_disk('64k')
        with open(os.path.join(disk, 'fill'), 'wb', buffering=0) as file:
            try:
                while True:
                    file.write(b'x' * 4096)
            except OSError:
                pass
        self.bad('up', self.home, '--mount', self.mount)
        self.assertEqual(os.listdir(disk), ['fill'])
        self.assertFalse(os.path.exists(self.mount))

    def fill_up(self):
        """Writes until there is no room; what was acknowledged, by path."""
        kept, chunk = {}, os.urandom(1 << 20)
        for i in range(1000):
            path = os.path.join(self.mount, f'fill{i}')
            try:
                with open(path, 'wb', buffering=0) as file:
                    file.write(chunk)
                    os.fsync(file.fileno())
                kept[path] = chunk
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC, path)
                return kept
        self.fail('the disk never became full')

    def check_files(self, kept):
        for path, data in kept.items():
            with open(path, 'rb') as file:
                self.assertTrue(file.read() == data, path)

    def test_disk_fills_up(self):
        self.on_small_disk('160m')
        self.up()
        kept = self.fill_up()
        self.assertGreater(len(kept), 20)
        self.check_files(kept)  # reads go on
        self.down()
        self.up()  # a full disk can be started from
        self.check_files(kept)
        with self.assertRaises(OSError) as caught:
            self.fill_up_again()
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        for path in list(kept)[::2]:
            os.unlink(path)  # deletions go on
            del kept[path]
        self.good('sync', self.home)
        self.good('clean', self.home)
        again = os.path.join(self.mount, 'again')
        with open(again, 'wb', buffering=0) as file:  # the space comes back
            file.write(b'x' * (8 << 20))
            os.fsync(file.fileno())
        kept[again] = b'x' * (8 << 20)
        self.assertIn('clean', self.good('scrub', self.home))
        self.down()
        self.up()
        self.check_files(kept)
        self.assertIn('clean', self.good('scrub', self.home))

    def fill_up_again(self):
        with open(os.path.join(self.mount, 'more'), 'wb', buffering=0) as file:
            for _ in range(200):
                file.write(os.urandom(1 << 20))
                os.fsync(file.fileno())

    def test_flipped_bit_in_a_segment(self):
        data = os.urandom(1 << 20)
        self.make_volume(data)
        segment = self.segments()[0]
        with open(segment, 'r+b') as file:
            whole = file.read()
            at = whole.index(data[500000:500032])
            file.seek(at)
            file.write(bytes([whole[at] ^ 4]))
        text = self.good('scrub', self.home, code=4)
        self.assertIn(os.path.basename(segment), text)
        place = int(text.split(' at ')[1].split(':')[0])
        self.assertLess(abs(place - at), 1 << 20)
        self.up()
        with open(os.path.join(self.mount, 'file0'), 'rb', buffering=0) as file:
            with self.assertRaises(OSError):
                while file.read(1 << 16):
                    pass
        self.assertIn(os.path.basename(segment), self.good('scrub', self.home, code=4))

    def test_illegal_contract(self):
        os.mkdir(self.home)
        with open(os.path.join(self.home, 'contract'), 'w', encoding='utf-8') as file:
            file.write('# mine\nshare = session\n')
        self.up_refused(says=['contract, line 2', "'share = unix'"])
        self.refused('explain', self.home, says=['line 2'])
        with open(os.path.join(self.home, 'contract'), 'w', encoding='utf-8') as file:
            file.write('preset = strong\n')
        self.up_refused(says=['several machines', 'pactfs volume create'])
        with open(os.path.join(self.home, 'contract'), 'w', encoding='utf-8') as file:
            file.write('preset = local\n')
        self.up()

    # --- the mount point ---

    def test_mount_point_below_nothing(self):
        self.refused('up', self.home, '--mount', os.path.join(self.top, 'no', 'mnt'),
                     says=['directory above', 'does not exist'])

    def test_mount_point_is_a_file(self):
        with open(self.mount, 'w', encoding='utf-8') as file:
            file.write('mine')
        self.up_refused(says=['not a directory'])

    def test_mount_point_is_not_empty(self):
        os.mkdir(self.mount)
        with open(os.path.join(self.mount, 'mine'), 'w', encoding='utf-8') as file:
            file.write('mine')
        self.up_refused(says=['not empty'])

    def test_mount_point_is_one_already(self):
        other = os.path.join(self.top, 'other')
        self.up(other, self.mount)
        text = self.bad('up', self.home, '--mount', self.mount)
        self.assertIn('mount', text)
        self.assertFalse(os.path.exists(self.home))
        self.assertEqual(volume.mounts_below(self.top), [self.mount])

    def test_home_inside_the_mount_point(self):
        os.mkdir(self.mount)
        self.refused('up', os.path.join(self.mount, 'home'), '--mount', self.mount, says=['hidden'])

    def test_mount_point_inside_the_store(self):
        self.make_volume()
        self.refused('up', self.home, '--mount', os.path.join(self.home, 'volume', 'mnt'), says=['inside the store'])

    # --- the command line ---

    def test_nonsense(self):
        cases = [
            (['upp'], "did you mean 'up'"),
            (['statsu'], "did you mean 'status'"),
            (['elephant'], 'pactfs --help'),
            (['up', '--muont', 'x'], 'did you mean --mount'),
            (['up', '--elephant'], 'pactfs up --help'),
            (['up', '--mount'], 'needs a value'),
            (['up', '--mount='], 'needs a value'),
            (['status', '--json=yes'], 'takes no value'),
            (['status', '--mount', 'x'], 'no option --mount'),
            (['up', 'a', 'b'], 'too many'),
            (['up', ''], 'empty'),
            (['mount'], 'missing'),
            (['help', 'elephant'], 'no command'),
            (['--elephant'], 'no command'),
        ]
        for words, says in cases:
            self.bad(*words, code=2, says=[says], cwd=self.top)
        self.assertEqual(os.listdir(self.top), [])
        self.bad('up', 'x' * 5000, says=['longer than'], cwd=self.top)

    # --- the control socket ---

    def talk(self, data, read=True):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(os.path.join(self.home, 'control'))
            peer.settimeout(volume.TIMEOUT)
            try:
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                got = b''
                while read:
                    part = peer.recv(65536)
                    if not part:
                        break
                    got += part
                return got
            except OSError:
                return b''

    def test_hostile_control(self):
        self.up()
        for line in (b'{', b'[]', b'nonsense', b'{"request":17}', b'{"request":"elephant"}', b'{}',
                     b'{"request":"mount"}', b'{"request":"mount","dir":7}', b'{"request":"mount","dir":"x"}',
                     b'{"request":"status","request":"stop"}', b'\xff\xfe', b'[' * 8000):
            self.assertIn(b'"ok":false', self.talk(line + b'\n'), line)
        for junk in (b'x' * 100000, b'\0' * 100 + b'\n', b'{"request":"st\0p"}\n', os.urandom(20000)):
            self.assertNotIn(b'"ok":true', self.talk(junk))
        self.assertEqual(self.talk(b'{"request":"status"}\n' * 5).count(b'"running":true'), 5)
        crowd = []
        for _ in range(100):
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(os.path.join(self.home, 'control'))
            crowd.append(peer)
        self.assertTrue(self.status()['running'])  # a crowd that says nothing shuts nobody out
        for peer in crowd:
            peer.close()
        self.talk(b'{"request":"status"}\n' * 400, read=False)
        self.assertTrue(self.status()['running'])

    def test_only_its_user_may_ask(self):
        if os.geteuid() != 0:
            self.skipTest('needs root')
        self.up()
        for path, mode in ((self.top, 0o755), (self.home, 0o755), (os.path.join(self.home, 'control'), 0o666)):
            os.chmod(path, mode)
        code = ('import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); '
                's.sendall(b\'{"request":"stop"}\\n\'); print(s.recv(100))')
        subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'python3', '-c', code,
                        os.path.join(self.home, 'control')], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(self.status()['running'])


if __name__ == '__main__':
    volume.main()
