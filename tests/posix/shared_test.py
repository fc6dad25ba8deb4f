#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two shared mounts of one volume.

  shared_test.py SHARED [--pages]         what one side does, the other sees at once; appends of both find the end; a
                                          mapping is what src/io/fuse/shared.c says; and a mount that is cut off from its
                                          volume goes away in time
  shared_test.py SHARED --run COMMAND...  exits as COMMAND on such mounts, {a} and {b}
"""
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

CLOSE_SECONDS = 15


def write(path, data, mode='wb'):
    with open(path, mode, buffering=0) as file:
        file.write(data)


def read(path):
    with open(path, 'rb', buffering=0) as file:
        return file.read()


def gone(call):
    try:
        call()
    except FileNotFoundError:
        return True
    return False


def names(a, b):
    """Made, renamed, removed: the other side's kernel remembers neither a name nor that there was none."""
    for i in range(50):
        assert gone(lambda: os.stat(f'{b}/name'))
        write(f'{a}/name', b'x' * i)
        assert os.stat(f'{b}/name').st_size == i
        os.rename(f'{a}/name', f'{a}/other')
        assert gone(lambda: os.stat(f'{b}/name'))
        assert os.listdir(b) == ['other'], os.listdir(b)
        os.unlink(f'{b}/other')
        assert gone(lambda: os.stat(f'{a}/other'))
        assert os.listdir(a) == []
    os.mkdir(f'{a}/dir')
    write(f'{b}/dir/in', b'1')
    os.chmod(f'{a}/dir', 0o700)
    assert os.stat(f'{b}/dir').st_mode & 0o777 == 0o700
    os.symlink('one', f'{a}/link')
    os.readlink(f'{b}/link')
    os.unlink(f'{a}/link')
    os.symlink('two', f'{a}/link')
    assert os.readlink(f'{b}/link') == 'two'
    shutil.rmtree(f'{a}/dir')
    os.unlink(f'{a}/link')


def made_by_both(a, b):
    """open(2) that may make the file, of both sides in step: whoever comes second opens it."""
    steps, count = mmap.mmap(-1, 16), 5000

    def make(side, mine, other):
        for i in range(1, count + 1):
            steps[mine:mine + 8] = i.to_bytes(8, 'little')
            while int.from_bytes(steps[other:other + 8], 'little') < i:
                os.sched_yield()
            os.close(os.open(f'{side}/made{i}', os.O_CREAT | os.O_WRONLY, 0o600))

    child = os.fork()
    if child == 0:
        code = 1
        try:
            make(b, 8, 0)
            code = 0
        finally:
            steps[8:16] = b'\xff' * 8  # the other one does not wait for who failed
            os._exit(code)
    try:
        make(a, 0, 8)
    finally:
        steps[0:8] = b'\xff' * 8
        assert os.waitpid(child, 0)[1] == 0
    assert len(os.listdir(a)) == count
    for i in range(1, count + 1):
        os.unlink(f'{b}/made{i}')


def data(a, b):
    """Through files that are open all the time: reads, sizes, times."""
    with open(f'{a}/data', 'w+b', buffering=0) as one, open(f'{b}/data', 'r+b', buffering=0) as two:
        times = set()
        for i in range(200):
            block = bytes([i % 256]) * 5000
            os.pwrite(one.fileno(), block, 3000)
            assert os.pread(two.fileno(), 5000, 3000) == block, i
            assert os.fstat(two.fileno()).st_size == 8000
            times.add(os.fstat(two.fileno()).st_mtime_ns)
            os.pwrite(two.fileno(), b'here', 4090)
            assert os.pread(one.fileno(), 4, 4090) == b'here', i
        assert len(times) == 200, len(times)
        os.ftruncate(one.fileno(), 10)
        assert os.pread(two.fileno(), 100, 0) == bytes(10)
        assert os.lseek(two.fileno(), 0, os.SEEK_END) == 10
    os.unlink(f'{a}/data')


def attributes(a, b):
    """Of one side that only looks."""
    with open(f'{a}/grows', 'wb', buffering=0) as one, open(f'{b}/grows', 'rb', buffering=0) as two:
        for size in range(1, 100):
            one.write(b'x')
            assert os.fstat(two.fileno()).st_size == size
            assert len(os.pread(two.fileno(), 1000, 0)) == size
        for mode in (0o600, 0o640, 0o444):
            os.fchmod(one.fileno(), mode)
            assert os.fstat(two.fileno()).st_mode & 0o777 == mode
    os.unlink(f'{b}/grows')


def appends(a, b, pages):
    """Two sides append at once: nothing is overwritten, no line is torn (unless a kernel sends it in two pieces)."""
    write(f'{a}/log', b'')
    lines = 300

    def append(side, name):
        with open(f'{side}/log', 'ab', buffering=0) as file:
            for i in range(lines):
                file.write(f'{name} {i:06}\n'.encode() * 20)

    threads = [threading.Thread(target=append, args=pair) for pair in ((a, 'a'), (b, 'b'))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read(f'{a}/log').decode()) == sorted(''.join(f'{n} {i:06}\n' for n in 'ab' for i in range(lines)) * 20)
    seen = [] if pages else read(f'{a}/log').decode().splitlines()
    assert pages or len(seen) == 2 * 20 * lines, len(seen)
    for name in 'ab':
        mine = [line for line in seen if line[0] == name]
        assert pages or mine == [f'{name} {i:06}' for i in range(lines) for _ in range(20)], name
    os.unlink(f'{b}/log')


def counter(a, b):
    """A counter under a name that is made exclusively: a lock of both sides. Every step of each is seen by the other."""
    write(f'{a}/counter', b'0')

    def step(side):
        for _ in range(100):
            while True:
                try:
                    os.close(os.open(f'{side}/lock', os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                    break
                except FileExistsError:
                    pass
            value = int(read(f'{side}/counter')) + 1
            write(f'{side}/counter', str(value).encode(), 'r+b')
            os.unlink(f'{side}/lock')

    threads = [threading.Thread(target=step, args=(side,)) for side in (a, a, b, b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(f'{b}/counter') == b'400', read(f'{b}/counter')
    os.unlink(f'{a}/counter')


def mappings(a, b):
    write(f'{a}/map', b'.' * 20000)
    with open(f'{a}/map', 'r+b', buffering=0) as one, open(f'{b}/map', 'r+b', buffering=0) as two:
        here, there = mmap.mmap(one.fileno(), 20000), mmap.mmap(two.fileno(), 20000)
        # On one machine: stores are read, writes are seen.
        here[5000:5004] = b'mine'
        assert os.pread(one.fileno(), 4, 5000) == b'mine'
        os.pwrite(one.fileno(), b'ours', 9000)
        assert here[9000:9004] == b'ours'
        # Stores reach others with msync; what is there is dropped when the file is asked about.
        assert there[5000:5004] in (b'....', b'mine')
        here[100:104] = b'sync'
        here.flush()
        assert os.pread(two.fileno(), 4, 100) == b'sync'
        os.stat(f'{b}/map')
        assert there[100:104] == b'sync'
        os.pwrite(two.fileno(), b'late', 12000)
        os.fstat(one.fileno())
        assert here[12000:12004] == b'late'
        here.close()
        there.close()
    os.unlink(f'{a}/map')


def streams(a, b):
    block = os.urandom(1 << 20)
    with open(f'{a}/big', 'wb', buffering=0) as file:
        for _ in range(24):
            file.write(block)
    with open(f'{b}/big', 'rb', buffering=0) as file:
        for _ in range(24):
            assert file.read(1 << 20) == block
        assert file.read(1) == b''
    os.unlink(f'{b}/big')


def inside(a, b, pages):
    for test in (names, made_by_both, data, attributes, appends, counter, mappings, streams):
        start = time.monotonic()
        if test is appends:
            test(a, b, pages)
        else:
            test(a, b)
        print(f'ok  {test.__name__}  {time.monotonic() - start:.2f} s', flush=True)


def killed(a):
    """A program that waits for a side that is cut off can be killed."""
    waits = subprocess.Popen([sys.executable, '-c', f'import os; print(1, flush=True); os.stat("{a}/other")'],
                             stdout=subprocess.PIPE)
    waits.stdout.read(2)
    while open(f'/proc/{waits.pid}/stat', encoding='utf-8').read().split()[2] not in 'SD':
        pass
    waits.kill()
    waits.wait(timeout=10)
    print('ok  killed', flush=True)


def unmount(b):
    """umount(8) of a side that is cut off."""
    os.stat(b)
    waits = subprocess.Popen([sys.executable, '-c', f'import os; print(1, flush=True); os.stat("{b}/stick")'],
                             stdout=subprocess.PIPE)
    waits.stdout.read(2)
    while open(f'/proc/{waits.pid}/stat', encoding='utf-8').read().split()[2] not in 'SD':
        pass
    waits.kill()
    waits.wait(timeout=10)
    subprocess.run(['umount', b], check=True, timeout=10)
    print('ok  unmounted', flush=True)


def stick(a):
    """Cuts side a off while a program waits for it, another has a file open there, and a page is dirty."""
    write(f'{a}/open', b'x' * 4096)
    holder = f'import mmap,os,sys; f=open("{a}/open","r+b"); m=mmap.mmap(f.fileno(),4096); m[0:1]=b"y"; ' \
             f'print("ready",flush=True)\ntry:\n os.stat("{a}/stick")\nexcept OSError as e: print(e.errno,flush=True)'
    subprocess.Popen([sys.executable, '-c', holder], stdout=open(f'{a}/../holder', 'wb'), start_new_session=True)
    while b'ready' not in read(f'{a}/../holder'):
        pass


def outside(shared, flags):
    where = tempfile.mkdtemp(prefix='pactfs-shared-')
    try:
        me = [sys.executable, os.path.abspath(__file__)]
        subprocess.run([shared, *flags, where, *me, '--inside', '{a}', '{b}', *flags], check=True, timeout=300)
        shutil.rmtree(where + '/volume')
        os.rmdir(where + '/a')
        os.rmdir(where + '/b')
        start = time.monotonic()
        subprocess.run([shared, *flags, where, *me, '--stick', '{a}', '{b}'], check=True, timeout=100)
        took = time.monotonic() - start
        assert took < CLOSE_SECONDS, took
        deadline = time.monotonic() + 5
        while len(read(f'{where}/holder').split()) < 2:
            assert time.monotonic() < deadline, read(f'{where}/holder')
        print(f'ok  cut off, and gone after {took:.1f} s; who waited got errno {read(where + "/holder").split()[1].decode()}')
    finally:
        with open('/proc/self/mounts', encoding='utf-8') as mounts:
            for line in mounts:
                if line.split()[1].startswith(where):
                    subprocess.run(['umount', '-l', line.split()[1]], check=False)
        shutil.rmtree(where)


if __name__ == '__main__':
    if sys.argv[1] == '--inside':
        inside(sys.argv[2], sys.argv[3], '--pages' in sys.argv)
    elif sys.argv[1] == '--stick':
        stick(sys.argv[2])
        killed(sys.argv[2])
        unmount(sys.argv[3])
    elif sys.argv[2:3] == ['--run']:
        with tempfile.TemporaryDirectory(prefix='pactfs-shared-', ignore_cleanup_errors=True) as folder:
            sys.exit(subprocess.run([sys.argv[1], folder, *sys.argv[3:]], check=False).returncode)
    else:
        outside(sys.argv[1], sys.argv[2:])
