# SPDX-License-Identifier: MIT
"""Failover trials: a fault at one of three nodes while programs work on two mounts that stay up; bench/failover.py and failover_test.py.

In each trial, on two client machines: load.py runs all the time; `pactfs record` runs four clients on both mounts; a thread for each
mount writes and syncs from the moment of the fault on, one write after another: the first answer gives the trial's figure. Meanwhile a
third mount is unmounted, which must not wait for what has failed. Then the fault is healed, the volume must become healthy by itself,
and the history is judged: linearisable, and durable.
"""
import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time

import machines as mm

HERE = os.path.dirname(os.path.abspath(__file__))
VOLUME = 'work'
HEALTHY_S = 60
FIRST_S = 30
UMOUNT_S = 20
CHECK_STEPS = '50000000'
WORKLOADS = ('register', 'tree', 'list', 'set', 'counter')


class Fault:
    def __init__(self, name, part, strike, heal):
        self.name, self.part, self.strike, self.heal = name, part, strike, heal


def stop_node(machine):
    machine.stop([machine.pid])


FAULTS = tuple(
    Fault(f'{word} {part}', part, strike, heal)
    for word, strike, heal, parts in (
        ('kill', mm.Machine.kill, mm.Machine.up, 'pb'),
        ('stop', mm.Machine.stop, mm.Machine.go_on, 'pb'),
        ('stop node only', stop_node, mm.Machine.go_on, 'p'),
        ('cut', mm.Machine.cut, mm.Machine.heal_network, 'pb'),
        ('cut what is sent by', lambda m: m.cut(received=False), mm.Machine.heal_network, 'p'),
        ('cut what is received by', lambda m: m.cut(sent=False), mm.Machine.heal_network, 'p'),
        ('freeze the disk of', mm.Machine.freeze, mm.Machine.thaw, 'pb'))
    for part in ('primary', 'backup') if part[0] in parts)


class Probe(threading.Thread):
    """From `fault` on: one synced write after another. answers: (began, ended) in monotonic seconds."""

    def __init__(self, where):
        super().__init__(daemon=True)
        self.path = os.path.join(where, 'probe')
        self.fault, self.enough = threading.Event(), threading.Event()
        self.answers, self.errors = [], []
        self.start()

    def run(self):
        descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o644)
        os.fsync(descriptor)
        self.fault.wait()
        while not self.enough.is_set() and len(self.errors) < 10:
            began = time.monotonic()
            try:
                os.pwrite(descriptor, b'%f' % began, 0)
                os.fsync(descriptor)
                self.answers.append((began, time.monotonic()))
            except OSError as error:
                self.errors.append(f'probe: {error!r}')
        os.close(descriptor)


def inside(machine, what):
    """what() in a thread that is on that machine's network."""
    box = []

    def work():
        try:
            space = os.open(f'/run/netns/{machine.space}', os.O_RDONLY | os.O_CLOEXEC)
            try:
                mm.ctypes.CDLL(None, use_errno=True).setns(space, 0)
            finally:
                os.close(space)
            box.append(what())
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            box.append(None)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return box[0]


def etcd_status(machine):
    """What its etcd says of itself, {"leader", "header": {"member_id"}, ..., "voters"}; None: it does not answer, or has no leader."""
    with open(os.path.join(machine.home, 'cell.json'), encoding='utf-8') as file:
        port = json.load(file)['registry']['client_port']
    tls = os.path.join(machine.home, 'tls')

    def ask():
        context = ssl.create_default_context(cafile=os.path.join(tls, 'ca.crt'))
        context.check_hostname = False
        context.load_cert_chain(os.path.join(tls, 'node.crt'), os.path.join(tls, 'node.key'))
        peer = http.client.HTTPSConnection(machine.address, port, timeout=2, context=context)
        try:
            peer.request('GET', '/health')
            if json.loads(peer.getresponse().read()).get('health') != 'true':
                return None
            peer.request('POST', '/v3/maintenance/status', '{}')
            status = json.loads(peer.getresponse().read())
            peer.request('POST', '/v3/cluster/member/list', '{}')
            members = json.loads(peer.getresponse().read())['members']
            status['voters'] = sum(not member.get('isLearner') for member in members)
            return status if status.get('leader', '0') != '0' else None
        finally:
            peer.close()

    return inside(machine, ask) if port else None


class Cell:
    """Three nodes, two clients, a volume of three replicas mounted twice, with load on both mounts."""

    def __init__(self, machines, contract=()):
        self.machines = machines
        self.nodes, self.clients = machines.cell(3, 2, disk=True)
        self.mounts, self.loads = [], []
        self.wait_registry()
        first = self.nodes[0]
        first.run('volume', 'create', VOLUME, *contract, '--home', first.home)
        self.wait_healthy()

    def begin(self):
        self.mounts = [client.mount(VOLUME, f'mount-{client.name}') for client in self.clients]
        names = [client.name for client in self.clients]
        for where, name, other in zip(self.mounts, names, reversed(names)):
            self.loads.append(subprocess.Popen([sys.executable, os.path.join(HERE, 'load.py'), where, name, other], stdin=subprocess.PIPE,
                                               stdout=subprocess.PIPE, text=True))

    def wait_registry(self):
        """Until every node has an etcd that works and counts for a majority."""
        def works(node):
            status = etcd_status(node)
            return status and status['voters'] == len(self.nodes)

        mm.until('every node has its etcd', lambda: all(works(node) for node in self.nodes), HEALTHY_S)

    def show(self):
        try:
            return self.clients[0].json('volume', 'show', VOLUME)
        except (RuntimeError, ValueError):
            return {}

    def healthy(self):
        shown = self.show()
        parts = [row['part'] for row in shown.get('replicas', ())]
        return shown if sorted(parts) == ['backup', 'backup', 'primary'] and shown.get('serves') and shown.get('writes') else None

    def wait_healthy(self):
        return mm.until('the volume is healthy', self.healthy, HEALTHY_S)

    def node(self, number):
        return self.nodes[number - 1]

    def end(self):
        """Ends the load and the mounts; what was wrong, as sentences, and what the loads said."""
        wrong, told = [], []
        for load in self.loads:
            try:
                told.append(json.loads(load.communicate(timeout=FIRST_S)[0]))
            except (subprocess.TimeoutExpired, ValueError) as error:
                wrong.append(f'a program on a mount did not end: {error}')
        for one in told:
            wrong += [f'{one["name"]}: {error}' for error in one['errors']]
            for where in self.mounts:
                wrong += [f'{os.path.basename(where)}: {sentence}' for sentence in verify_quietly(where, one)]
        for client, where in zip(self.clients, self.mounts):
            try:
                client.umount(where, UMOUNT_S)
            except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
                wrong.append(f'umount: {error}')
        return wrong, told


def verify_quietly(where, told):
    import load
    try:
        return load.verify(where, told)
    except OSError as error:
        return [f'verify: {error!r}']


class Trial:
    """One fault. After run(): first (seconds, one for each mount), longest, healthy, wrong (sentences)."""

    def __init__(self, cell, fault, number, hold=3.0):
        self.cell, self.fault, self.number, self.hold = cell, fault, number, hold
        self.workload = WORKLOADS[number % len(WORKLOADS)]
        self.random = random.Random(number)
        self.first, self.wrong = [], []
        self.longest = self.umounted = self.healthy = self.began = 0.0
        self.transactions = 0
        self.undecided = False

    def run(self):
        cell = self.cell
        extra = cell.clients[0].mount(VOLUME, f'extra-{self.number}')
        probes = [Probe(where) for where in cell.mounts]
        history = os.path.join(cell.machines.top, f'trial-{self.number}.history')
        recorder = self.record(history)
        target = self.target()
        self.strike(target, probes)
        healer = threading.Thread(target=self.leave, args=(extra,))
        healer.start()
        self.wait_first(probes)
        healer.join()
        self.heal(target)
        for probe in probes:
            probe.enough.set()
            probe.join(FIRST_S)
            if probe.is_alive():
                self.wrong.append('a write on a mount does not end')
            self.wrong += probe.errors
        self.figures(probes)
        self.judge(recorder, history)
        return self

    def record(self, history):
        # Directories that another machine has moved make the kernel refuse renames by itself (ESTALE, EINVAL), as with NFS: the
        # operations of a tree are those of one mount.
        mounts = [self.cell.mounts[self.number % 2]] if self.workload == 'tree' else self.cell.mounts
        recorder = subprocess.Popen([mm.BINARY, 'record', '--workload', self.workload, '--fsync', '--seconds', '600', '--clients', '4',
                                     '--keys', '4', '--seed', str(self.number + 1), '--output', history, *mounts],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        works = time.monotonic() + 0.4 + self.random.random() * 0.5
        mm.until('the recorder is at work', lambda: time.monotonic() > works)
        return recorder

    def target(self):
        shown = self.cell.wait_healthy()
        primary = shown['view']['primary']
        if self.fault.part == 'primary':
            return self.cell.node(primary)
        return self.cell.node(self.random.choice([number for number in shown['view']['members'] if number != primary]))

    def strike(self, target, probes):
        self.began = time.monotonic()
        self.fault.strike(target)
        for probe in probes:
            probe.fault.set()

    def leave(self, extra):
        try:
            self.umounted = self.cell.clients[0].umount(extra, UMOUNT_S)
        except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
            self.wrong.append(f'umount under the fault: {error}')

    def wait_first(self, probes):
        def enough():
            return time.monotonic() - self.began > self.hold and all(probe.answers for probe in probes)

        try:
            mm.until('the first write behind the fault', enough, FIRST_S)
        except TimeoutError as error:
            self.wrong.append(str(error))

    def heal(self, target):
        began = time.monotonic()
        self.fault.heal(target)
        try:
            self.cell.wait_healthy()
            self.cell.wait_registry()
        except TimeoutError as error:
            self.wrong.append(f'{error}: {json.dumps(self.cell.show())}')
        self.healthy = time.monotonic() - began

    def figures(self, probes):
        for probe in probes:
            self.first.append(probe.answers[0][1] - self.began if probe.answers else float('inf'))
            self.longest = max([self.longest] + [ended - began for began, ended in probe.answers])

    def judge(self, recorder, history):
        recorder.send_signal(signal.SIGINT)
        try:
            said = recorder.communicate(timeout=FIRST_S + 10)[0]
        except subprocess.TimeoutExpired:
            recorder.kill()
            recorder.communicate()
            self.wrong.append('the recorder does not end')
            return
        # What a client of a tree does not find it does not try: that counts as failed, and is none.
        settled = ' 0 of unknown' in said and (self.workload == 'tree' or ' 0 failed' in said)
        if recorder.returncode or not settled:
            self.wrong.append(f'recorder: {said.strip()}')
        if recorder.returncode == 0:
            self.check(history)

    def check(self, history):
        done = subprocess.run([mm.BINARY, 'check', history, '--promise', 'linearisable,durability', '--steps', CHECK_STEPS, '--json'],
                              stdout=subprocess.PIPE, text=True, timeout=300, check=False)
        answer = json.loads(done.stdout)
        self.transactions = int(answer.get('transactions', 0))
        for verdict in answer['verdicts']:
            if verdict['result'] == 'broken':
                self.wrong.append(f'{self.workload} {verdict["promise"]} is broken: {verdict.get("anomaly")} ({history})')
            self.undecided |= verdict['result'] == 'undecided'
        if done.returncode == 0:
            os.unlink(history)
