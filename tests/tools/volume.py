#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A PactFS volume for the length of a test.

  volume.py PACTFS COMMAND ARG...      makes a volume in a temporary directory, mounts it, runs COMMAND with every
                                       "{}" in an argument replaced by the mount point, takes the volume down, removes it,
                                       and exits as COMMAND did
  volume.py --plain DIR COMMAND ARG... the same in a new folder under DIR, on whatever file system that is

The daemon is a child of this process, so it is known by its pid and cannot outlive the test unseen.
"""
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60
STOP_SECONDS = 60
PR_SET_PDEATHSIG = 1
UMOUNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_mounted(path):
    """True when `path` is a mount point of FUSE, dead or alive."""
    escaped = os.path.realpath(path).replace('\\', '\\134').replace(' ', '\\040')
    with open('/proc/self/mounts', encoding='utf-8', errors='surrogateescape') as mounts:
        return any(line.split()[1] == escaped and line.split()[2].startswith('fuse') for line in mounts)


def is_alive(path):
    """True when `path` is a mount point of FUSE and its server answers."""
    try:
        os.statvfs(path)  # always asks the server, which stat does not
        return is_mounted(path)
    except OSError:
        return False  # what a killed server left


def wait_for_mount(process, path, seconds):
    """Returns when `path` is mounted and answers; raises when the process ends first or the time is over."""
    deadline = time.monotonic() + seconds
    pidfd = os.pidfd_open(process.pid)
    with open('/proc/self/mounts', 'rb') as mounts:
        poll = select.poll()
        poll.register(mounts, select.POLLPRI | select.POLLERR)  # the kernel reports every change of the table
        poll.register(pidfd, select.POLLIN)
        try:
            while not is_alive(path):
                left = deadline - time.monotonic()
                if process.poll() is not None:
                    raise RuntimeError(f'the daemon ended with {process.returncode} before it had mounted')
                if left <= 0:
                    raise RuntimeError(f'nothing was mounted within {seconds} s')
                poll.poll(left * 1000)
        finally:
            os.close(pidfd)


def detach(path):
    """Removes a mount whose server is gone or will not answer."""
    while is_mounted(path):
        if libc.umount2(os.fsencode(path), UMOUNT_DETACH) != 0:
            subprocess.run(['fusermount3', '-u', '-z', path], check=True)


class Volume:
    """One volume under `where`: HOME in where/home, mounted at where/mnt, the daemon's output in where/log."""

    def __init__(self, pactfs, where):
        self.pactfs, self.where = os.path.abspath(pactfs), where
        self.home, self.mnt, self.log = (os.path.join(where, n) for n in ('home', 'mnt', 'log'))
        self.process = None
        os.makedirs(self.mnt, exist_ok=True)

    def start(self):
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen([self.pactfs, 'serve', self.home, '--mount', self.mnt], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        try:
            wait_for_mount(self.process, self.mnt, START_SECONDS)
        except RuntimeError as problem:
            self.kill()
            raise RuntimeError(f'{problem}; its output:\n{self.output()}') from None

    def output(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read()[-4000:]

    def kill(self):
        """As a crash would: no warning. The dead mount stays, as it does in life."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        """As `pactfs down` does; an unclean end is an error."""
        if not self.process:
            return
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f'the daemon did not end within {STOP_SECONDS} s of SIGTERM') from None
        self.process = None
        if code != 0:
            raise RuntimeError(f'the daemon ended with {code}; its output:\n{self.output()}')

    def resident(self):
        """The daemon's resident memory in bytes."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith('VmRSS:'))

    def remove(self):
        self.kill()
        detach(self.mnt)
        shutil.rmtree(self.where)


def make_folder(under=None):
    where = tempfile.mkdtemp(prefix='pactfs-test-', dir=under)
    os.chmod(where, 0o755)  # other users take part in some tests
    return where


def on_volume(pactfs, command):
    volume = Volume(pactfs, make_folder(os.environ.get('PACTFS_TEST_DIR')))
    try:
        volume.start()
        code = subprocess.run([a.replace('{}', volume.mnt) for a in command]).returncode
        if volume.process.poll() is not None:
            print(f'the daemon ended with {volume.process.returncode} during the test:\n{volume.output()}')
            volume.process = None
            return 1
        volume.stop()
        return code
    except RuntimeError as problem:
        print(problem)
        return 1
    finally:
        volume.remove()


def on_plain_folder(under, command):
    where = make_folder(under)
    try:
        return subprocess.run([a.replace('{}', where) for a in command]).returncode
    finally:
        shutil.rmtree(where)


def leave(number, frame):
    raise SystemExit(128 + number)


def main():
    signal.signal(signal.SIGTERM, leave)
    if len(sys.argv) >= 4 and sys.argv[1] == '--plain':
        return on_plain_folder(sys.argv[2], sys.argv[3:])
    if len(sys.argv) < 3 or sys.argv[1].startswith('-'):
        print(__doc__, file=sys.stderr)
        return 2
    if not os.path.exists('/dev/fuse'):
        print('skipped: this machine has no /dev/fuse')
        return 77
    return on_volume(sys.argv[1], sys.argv[2:])


if __name__ == '__main__':
    sys.exit(main())
