#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A cell of several node processes on this machine, each with a home of its own; what the tests of cells share.

The test is the parent of every node, and waits for it; a node's etcd ends with it. Everything is gone after a test, also after one that failed.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

TOOL = os.environ['CELL_TOOL']


def free_port(count=3):
    """The first of some ports in a row that nobody uses, of those that the kernel gives to no connection."""
    while True:
        first = random.randrange(20000, 32000)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(('127.0.0.1', port))
            return first
        except OSError:
            pass  # another


class Node:
    def __init__(self, top, name):
        self.name = name
        self.home = os.path.join(top, name)
        self.address = f'127.0.0.1:{free_port()}'
        self.process = None
        self.number = 0

    def start(self):
        with open(self.home + '.log', 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen([TOOL, 'serve', self.home], stdout=subprocess.PIPE, stderr=log,
                                            preexec_fn=os.setsid)
        ready = json.loads(self.process.stdout.readline() or '{"error": "it ended"}')
        assert ready.get('ok'), f'{self.name}: {ready}\n{self.log()}'
        self.number = ready['node']

    def log(self):
        with open(self.home + '.log', encoding='utf-8') as log:
            return log.read()

    def end(self, number):
        """Ends the process and waits for it; returns its exit code."""
        if not self.process:
            return None
        if number:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        self.process = None
        return code

    def ask(self, request, timeout=40, progress=None, **words):
        """One question on the control socket; the last line of the answer."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(timeout)
            where = os.open(self.home, os.O_PATH)
            try:
                peer.connect(f'/proc/self/fd/{where}/control')
            finally:
                os.close(where)
            peer.sendall(json.dumps({'request': request, **words}).encode() + b'\n')
            for line in peer.makefile():
                answer = json.loads(line)
                if 'ok' in answer:
                    return answer
                if progress is not None:
                    progress.append(answer)
        raise AssertionError(f'{self.name} did not answer {request}\n{self.log()}')


class Case(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix='pactfs-cell-')
        self.nodes = []
        self.addCleanup(self.clean)  # also when the rest of a setUp fails

    def clean(self):
        result = self._outcome.result
        failed = any(case is self for case, _ in result.failures + result.errors)
        for node in self.nodes:
            if node.process:
                node.process.send_signal(signal.SIGCONT)
            node.end(signal.SIGKILL)
        if failed:
            for node in self.nodes:
                print(f'--- {node.name}\n{node.log() if os.path.exists(node.home + ".log") else ""}')
        shutil.rmtree(self.top, ignore_errors=True)

    def tool(self, *words, code=0):
        done = subprocess.run([TOOL, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout.strip()

    def good(self, at, request, **words):
        answer = at.ask(request, **words)
        self.assertTrue(answer['ok'], answer)
        return answer

    def bad(self, at, request, says=(), code=None, **words):
        answer = at.ask(request, **words)
        self.assertFalse(answer['ok'], answer)
        for word in says:
            self.assertIn(word, answer['error'])
        if code:
            self.assertEqual(answer['code'], code)
        return answer

    def wait_for(self, what, true, seconds=15):
        """Until true() is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(0.03)  # lint: sleep-ok other processes are looked at until they are ready
        self.fail(f'waited {seconds} s for: {what}')

    def first(self, name='a'):
        node = Node(self.top, name)
        self.nodes.append(node)
        self.tool('init', node.home, node.address, name)
        node.start()
        return node

    def invite(self, role='node', **words):
        return self.good(self.nodes[0], 'invite', role=role, **words)['code']

    def join(self, name):
        node = Node(self.top, name)
        self.nodes.append(node)
        self.tool('join', node.home, self.invite(), node.address, name)
        node.start()
        return node

    def cell_of(self, count):
        self.first()
        for name in 'bcdefgh'[:count - 1]:
            self.join(name)
        self.wait_for('all nodes run', lambda: all(self.alive(node) == count for node in self.nodes))
        return self.nodes

    def alive(self, node):
        return sum(row['alive'] for row in node.ask('nodes')['nodes'])

    def volume(self, name, text='', replicas=3, node=None):
        contract = f'preset = strong\nreplicas = {replicas}\n{text}'
        return self.good(node or self.nodes[0], 'volume-create', name=name, contract=contract)

    def members(self, volume, node=None):
        view = self.good(node or self.nodes[0], 'volume-show', volume=volume)['view']
        return set(view['members']) if view else set()
