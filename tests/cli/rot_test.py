#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bits flip in the index of a real store: the volume starts with the right contents all the same, because the index is
verified before it is used and made again from the log; scrub says so without touching it. PACTFS_FLIPS places."""
import os
import random
import shutil

import volume

FLIPS = int(os.environ.get('PACTFS_FLIPS', '40'))


class Rot(volume.Case):
    def fill(self):
        """Names in several directories, data in blocks, attributes long and short, and gaps by deletion."""
        chance = random.Random(7)
        contents = {}
        for i in range(600):
            folder = os.path.join(self.mount, f'd{i % 7}')
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, f'name-{i}')
            data = chance.randbytes(chance.choice([0, 40, 700, 5000, 200000 if i % 50 == 0 else 9000]))
            with open(path, 'wb') as file:
                file.write(data)
            contents[path] = data
        for path in list(contents)[::5]:
            os.unlink(path)
            del contents[path]
        path = next(iter(contents))
        os.setxattr(path, 'user.long', b'a' * 6000)
        os.setxattr(path, 'user.short', b'b')
        return contents

    def check(self, contents, why):
        found = {}
        for where, _, files in os.walk(self.mount):
            for name in files:
                with open(os.path.join(where, name), 'rb') as file:
                    found[os.path.join(where, name)] = file.read()
        self.assertEqual(sorted(found), sorted(contents), why)
        for path, data in contents.items():
            self.assertTrue(found[path] == data, f'{why}: {path} has other contents')
        path = next(iter(contents))
        self.assertEqual(os.getxattr(path, 'user.long'), b'a' * 6000, why)
        self.assertEqual(os.getxattr(path, 'user.short'), b'b', why)

    def test_bits_of_the_index(self):
        self.up()
        contents = self.fill()
        self.down()
        index = os.path.join(self.home, 'volume', 'index', 'data.mdb')
        store, kept = os.path.join(self.home, 'volume'), os.path.join(self.top, 'kept')
        shutil.copytree(store, kept)
        with open(index, 'rb') as file:
            whole = file.read()
        used = [at for at in range(0, len(whole), 64) if any(whole[at:at + 64])]
        chance = random.Random(FLIPS)
        noticed = 0
        for n in range(FLIPS):
            at, bit = chance.choice(used) + chance.randrange(64), chance.randrange(8)
            why = f'flip {n}: bit {bit} of byte {at}'
            shutil.rmtree(store)
            shutil.copytree(kept, store)
            with open(index, 'r+b') as file:
                file.seek(at)
                file.write(bytes([whole[at] ^ 1 << bit]))
            scrubbed = self.run_pactfs('scrub', self.home)
            self.assertIn(scrubbed.returncode, (0, 4), f'{why}: {scrubbed}')
            self.up()
            self.check(contents, why)
            rebuilt = self.status()['store']['replayed_records'] > 0
            noticed += rebuilt
            self.assertEqual(rebuilt, scrubbed.returncode == 4, f'{why}: {scrubbed}')
            self.down()
        self.assertGreater(noticed, FLIPS // 4)  # the others fell on bytes that mean nothing any more
        with open(index, 'r+b') as file:
            file.write(os.urandom(20000))
        self.bad('scrub', self.home, code=4, says=['index', 'damaged', 'pactfs up'])
        self.good('up', self.home, '--mount', self.mount, '--rebuild-index')
        self.check(contents, 'rebuilt')
        self.assertIn('clean', self.good('scrub', self.home))


if __name__ == '__main__':
    volume.main()
