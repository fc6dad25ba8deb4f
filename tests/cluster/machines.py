# SPDX-License-Identifier: MIT
"""Machines made of network namespaces, for tests of real cells.

Each machine has a network namespace, joined by a veth pair to a bridge that is in a namespace of its own, and on request a disk of its
own (ext4 in a file, on a loop device). Mounts of the file system are the host's, so that one process can look at all of them.

A machine's network is cut with the queueing discipline `blackhole`, which drops what it is given: at the machine's end of the pair for
what it sends, at the bridge's end for what it would receive. Its disk is frozen with fsfreeze: whoever writes or syncs there waits.

The processes that pactfs leaves in the background become children of this one (a subreaper), which kills and waits for them by id.
Nothing outside the namespaces and the folder is touched; all of it goes at close(), also after a failure or a SIGTERM.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BINARY = os.path.abspath(os.environ.get('PACTFS', 'build/pactfs'))
TIMEOUT = 60
TOOLS = ('ip', 'tc', 'nsenter', 'mount', 'umount', 'fsfreeze', 'mkfs.ext4')
PR_SET_CHILD_SUBREAPER = 36
DISK_BYTES = 4 << 30


def why_not():
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return 'needs root, for network namespaces and mounts'
    if not os.path.exists('/dev/fuse'):
        return 'there is no /dev/fuse'
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return 'not installed: ' + ' '.join(missing)
    probe = f'pf{os.getpid()}t'
    done = subprocess.run(['ip', 'netns', 'add', probe], capture_output=True, text=True, check=False)
    if done.returncode:
        return 'no network namespaces here: ' + done.stderr.strip()
    try:
        done = subprocess.run(['tc', '-n', probe, 'qdisc', 'add', 'dev', 'lo', 'root', 'blackhole'], capture_output=True, text=True,
                              check=False)
        return 'no traffic control here: ' + done.stderr.strip() if done.returncode else None
    finally:
        subprocess.run(['ip', 'netns', 'del', probe], check=False)


def run(*words, timeout=TIMEOUT):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          check=False)
    if done.returncode:
        raise RuntimeError(f'{" ".join(words)}: {done.stdout.strip()}')
    return done.stdout


def process_state(pid):
    """The letter of /proc/PID/stat; None: there is no such process."""
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
            return file.read().rpartition(')')[2].split()[0]
    except OSError:
        return None


def children_of(pid):
    found = []
    try:
        for task in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{task}/children', encoding='utf-8') as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def family_of(pid):
    """The process and all below it."""
    found = [pid]
    for child in found:
        found += children_of(child)
    return found


def wait_gone(pid, seconds=20):
    """Until the process has ended; it is reaped when it is a child of ours. False: it did not end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            if process_state(pid) is None:
                return True
        time.sleep(0.005)  # lint: sleep-ok a process that may be nobody's child is looked at until it has gone
    return False


def until(what, true, seconds=TIMEOUT):
    """What true() returns, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f'waited {seconds} s for: {what}')
        time.sleep(0.05)  # lint: sleep-ok other processes are looked at until they are ready


class Machine:
    def __init__(self, machines, name, number, disk):
        self.machines, self.name, self.number = machines, name, number
        self.space = f'{machines.prefix}{name}'
        self.port = f'p{number}'
        self.address = f'10.47.0.{number}'
        self.folder = os.path.join(machines.top, name)
        self.home = os.path.join(self.folder, 'home')
        self.pid = 0  # of its node
        self.stopped = []
        self.frozen = False
        self.has_disk = False
        os.mkdir(self.folder)
        self.join_network()
        if disk:
            self.make_disk()

    # --- network ---

    def join_network(self):
        switch = self.machines.switch
        run('ip', 'netns', 'add', self.space)
        run('ip', '-n', self.space, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', self.port, 'netns', switch)
        run('ip', '-n', switch, 'link', 'set', self.port, 'master', 'bridge', 'up')
        run('ip', '-n', self.space, 'address', 'add', self.address + '/24', 'dev', 'eth0')
        run('ip', '-n', self.space, 'link', 'set', 'eth0', 'up')
        run('ip', '-n', self.space, 'link', 'set', 'lo', 'up')

    def cut(self, sent=True, received=True):
        if sent:
            run('tc', '-n', self.space, 'qdisc', 'replace', 'dev', 'eth0', 'root', 'blackhole')
        if received:
            run('tc', '-n', self.machines.switch, 'qdisc', 'replace', 'dev', self.port, 'root', 'blackhole')

    def heal_network(self):
        for space, device in ((self.space, 'eth0'), (self.machines.switch, self.port)):
            subprocess.run(['tc', '-n', space, 'qdisc', 'del', 'dev', device, 'root'], stderr=subprocess.DEVNULL, check=False)

    # --- disk ---

    def make_disk(self):
        image = self.folder + '.disk'
        with open(image, 'wb') as file:
            file.truncate(DISK_BYTES)
        run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=1,lazy_journal_init=1', image)
        run('mount', '-o', 'loop', image, self.folder)
        self.has_disk = True

    def freeze(self):
        self.frozen = True
        run('fsfreeze', '-f', self.folder)

    def thaw(self):
        if self.frozen:
            run('fsfreeze', '-u', self.folder)
            self.frozen = False

    # --- processes ---

    def popen(self, *words, **options):
        return subprocess.Popen(['nsenter', f'--net=/run/netns/{self.space}', *words], **options)

    def run(self, *words, code=0, timeout=TIMEOUT):
        """pactfs on this machine; what it printed."""
        done = subprocess.run(['nsenter', f'--net=/run/netns/{self.space}', BINARY, *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False)
        if code is not None and done.returncode != code:
            raise RuntimeError(f'{self.name}: pactfs {" ".join(words)}: {done.returncode}: {done.stdout}{done.stderr}')
        return done.stdout

    def json(self, *words):
        return json.loads(self.run(*words, '--json', '--home', self.home))

    def init(self):
        self.run('init', self.home, '--listen', self.address, '--name', self.name, '--cell', 'test', '--no-start')
        self.up()

    def join(self, at, *roles):
        """Into the cell of machine `at`; without roles as a node."""
        code = at.run('invite', '--home', at.home, *roles).split()[0]
        listen = [] if roles else ['--listen', self.address]
        self.run('join', code, self.home, *listen, '--name', self.name, '--no-start')
        if not roles:
            self.up()

    def up(self):
        """Starts the node as a child of this process; returns when it takes messages."""
        log = os.open(os.path.join(self.machines.top, self.name + '.log'), os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC)
        child = self.popen(BINARY, 'serve', self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(log)
        self.pid = child.pid
        self.child = child
        until(f'node {self.name} answers', lambda: child.poll() is not None or self.answers())
        if child.poll() is not None:
            raise RuntimeError(f'node {self.name} ended with {child.returncode}\n{self.log()}')

    def adopt(self):
        """The node that pactfs left in the background: its id, from its home."""
        with open(os.path.join(self.home, 'state.json'), encoding='utf-8') as file:
            self.pid = json.load(file)['pid']

    def answers(self):
        return subprocess.run([BINARY, 'status', self.home], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                              timeout=TIMEOUT).returncode == 0

    def log(self):
        try:
            with open(os.path.join(self.machines.top, self.name + '.log'), encoding='utf-8', errors='replace') as file:
                return file.read()
        except OSError:
            return ''

    def kill(self):
        """The node dies, and its etcd with it."""
        family = family_of(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        self.child.wait(TIMEOUT)
        for pid in reversed(family[1:]):
            wait_gone(pid)
        self.pid = 0

    def down(self):
        """The node is asked to end; its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        code = self.child.wait(TIMEOUT)
        self.pid = 0
        return code

    def etcd(self):
        """The processes of its registry."""
        return family_of(self.pid)[1:] if self.pid else []

    def stop(self, pids=None):
        """SIGSTOP; of the node and its registry when nothing is said."""
        self.stopped += family_of(self.pid) if pids is None else pids
        for pid in self.stopped:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self):
        for pid in self.stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.stopped = []

    # --- mounts ---

    def mount(self, volume, name):
        """Returns the directory. The process behind it becomes a child of this one."""
        where = os.path.join(self.machines.top, name)
        self.run('mount', volume, where, '--home', self.home)
        return where

    def umount(self, where, timeout=20):
        """Returns how long it took."""
        began = time.monotonic()
        agents = self.agents(where)
        self.run('umount', where, '--home', self.home, timeout=timeout)
        for pid in agents:
            if not wait_gone(pid, timeout):
                raise TimeoutError(f'the process of the mount {where} did not end')
        return time.monotonic() - began

    def agents(self, where=None):
        found = []
        folder = os.path.join(self.home, 'mounts')
        try:
            names = os.listdir(folder)
        except OSError:
            return found
        for name in names:
            try:
                with open(os.path.join(folder, name), encoding='utf-8') as file:
                    entry = json.load(file)
                if '.' not in name and where in (None, entry['dir']):
                    found.append(entry['pid'])
            except (OSError, ValueError, KeyError):
                continue
        return found

    def close(self):
        self.thaw()
        self.go_on()
        self.heal_network()
        pids = family_of(self.pid)[::-1] if self.pid else []
        ours = set(family_of(os.getpid()))
        for pid in [pid for pid in self.agents() if pid in ours] + pids[::-1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            wait_gone(pid)
        self.pid = 0


class Machines:
    """`with Machines() as machines: machines.add('a')`; keep: the folder stays, for whoever looks for a cause."""

    def __init__(self, keep=False, parent=None):
        self.keep = keep
        self.prefix = f'pf{os.getpid()}'
        self.switch = self.prefix + 's'
        self.top = tempfile.mkdtemp(prefix='pactfs-machines-', dir=parent)
        self.machines = []
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def __enter__(self):
        try:
            run('ip', 'netns', 'add', self.switch)
            run('ip', '-n', self.switch, 'link', 'add', 'bridge', 'type', 'bridge')
            run('ip', '-n', self.switch, 'link', 'set', 'bridge', 'up')
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def add(self, name, disk=False):
        machine = Machine.__new__(Machine)
        machine.pid, machine.stopped, machine.frozen, machine.has_disk = 0, [], False, False
        self.machines.append(machine)
        machine.__init__(self, name, len(self.machines), disk)
        return machine

    def cell(self, nodes, clients=0, disk=False):
        """A cell of so many nodes (a, b, ...) and clients (x, y, ...); both lists."""
        made = [self.add(name, disk) for name in 'abcdefgh'[:nodes]]
        users = [self.add(name) for name in 'xyzuvw'[:clients]]
        made[0].init()
        for machine in made[1:]:
            machine.join(made[0])
        for user in users:
            user.join(made[0], '--client')
        return made, users

    def mounts_below(self):
        found = []
        with open('/proc/self/mounts', encoding='utf-8') as lines:
            for line in lines:
                point = line.split(' ')[1].encode().decode('unicode_escape')
                if point.startswith(self.top + '/'):
                    found.append(point)
        return found

    def close(self):
        for machine in self.machines:
            try:
                machine.close()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                print(f'closing {machine.name}: {error}', file=sys.stderr)
        for point in reversed(self.mounts_below()):
            if subprocess.run(['umount', point], stderr=subprocess.DEVNULL, check=False).returncode:
                subprocess.run(['umount', '-l', point], stderr=subprocess.DEVNULL, check=False)
        for space in [machine.space for machine in self.machines if hasattr(machine, 'space')] + [self.switch]:
            subprocess.run(['ip', 'netns', 'del', space], stderr=subprocess.DEVNULL, check=False)
        if not self.keep:
            shutil.rmtree(self.top, ignore_errors=True)
