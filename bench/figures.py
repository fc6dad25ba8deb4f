#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""figures.py DIR: measures the file system that DIR is on. Prints one "name value unit" per line; more is better.

What a user would notice: unpacking a tree, walking it, reading it, removing it, saving files safely, streaming, random I/O.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import io

FILES, FOLDERS = 3000, 50
SAVES = 400
BIG = '512M'


def make_archive(path):
    chance = random.Random(11)
    with tarfile.open(path, 'w') as archive:
        for n in range(FILES):
            info = tarfile.TarInfo(f'tree/d{n % FOLDERS:02}/s{n % 4}/f{n:04}')
            info.size = min(200_000, int(chance.lognormvariate(8, 1.3)))
            archive.addfile(info, io.BytesIO(chance.randbytes(info.size)))


def forget():
    """Everything is on the disk, nothing in memory."""
    os.sync()
    with open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as file:
        file.write('3')


def show(name, value, unit):
    print(f'{name:24} {value:14.1f} {unit}', flush=True)


def timed(name, count, unit, work):
    began = time.monotonic()
    work()
    show(name, count / (time.monotonic() - began), unit)


def walk(top):
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            os.lstat(os.path.join(folder, name))


def read_all(top):
    for folder, _, files in os.walk(top):
        for name in files:
            with open(os.path.join(folder, name), 'rb', buffering=0) as file:
                while file.read(1 << 20):
                    pass


def save_all(folder):
    data = b's' * 4096
    for n in range(SAVES):
        path = os.path.join(folder, f'save{n}')
        fd = os.open(path + '.new', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        os.rename(path + '.new', path)


def fio(folder, name, way, size, *more):
    command = ['fio', '--name=big', f'--directory={folder}', '--filename=big', f'--rw={way}', f'--size={BIG}', '--ioengine=psync',
               f'--bs={size}', '--output-format=json', *more]
    job = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)['jobs'][0]
    side = job['read' if 'read' in way else 'write']
    if size == '1M':
        show(name, side['bw_bytes'] / 1e6, 'MB/s')
    else:
        show(name, side['iops'], 'IOPS')


def small_files(folder, archive):
    tree = os.path.join(folder, 'tree')
    entries = FILES + FOLDERS * 5
    timed('untar', FILES, 'files/s', lambda: subprocess.run(['tar', '-C', folder, '-xf', archive], check=True))
    forget()
    timed('walk_cold', entries, 'entries/s', lambda: walk(tree))
    forget()
    timed('read_small_cold', FILES, 'files/s', lambda: read_all(tree))
    timed('read_small_warm', FILES, 'files/s', lambda: read_all(tree))
    timed('delete', FILES, 'files/s', lambda: shutil.rmtree(tree))
    timed('durable_replace', SAVES, 'files/s', lambda: save_all(folder))


def big_file(folder):
    random_size = ('--io_size=64M', '--runtime=10')
    fio(folder, 'write_stream', 'write', '1M', '--end_fsync=1')
    forget()
    fio(folder, 'read_stream_cold', 'read', '1M')
    forget()
    fio(folder, 'read_random_cold', 'randread', '4k', *random_size)
    fio(folder, 'write_random_fsync', 'randwrite', '4k', '--fsync=1', *random_size)
    fio(folder, 'write_random', 'randwrite', '4k', '--end_fsync=1', *random_size)


def main():
    if len(sys.argv) != 2 or os.geteuid() != 0:
        print('usage, as root (caches are dropped): figures.py DIR', file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix='pactfs-bench-') as outside:
        archive = os.path.join(outside, 'tree.tar')
        make_archive(archive)
        folder = tempfile.mkdtemp(prefix='bench-', dir=sys.argv[1])
        try:
            small_files(folder, archive)
            big_file(folder)
        finally:
            shutil.rmtree(folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
