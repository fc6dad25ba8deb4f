# SPDX-License-Identifier: MIT
"""pactfs check and pactfs record: bad input, exit codes, and histories of real processes on a real mount."""
import glob
import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as xml

import volume

HEAD = '{"pactfs-history":1}\n'
WORKLOADS = ('register', 'list', 'set', 'counter', 'bank', 'tree')
DEADLINE = 60


def begin(process, *acts):
    return json.dumps({'process': process, 'event': 'begin', 'acts': acts}) + '\n'


def done(process, *answers):
    return json.dumps({'process': process, 'event': 'done', 'answers': answers}) + '\n'


GOOD = HEAD + begin(0, ['write', 'x', 1]) + done(0, None) + begin(1, ['read', 'x']) + done(1, 1)
STALE = GOOD + begin(0, ['write', 'x', 2]) + done(0, None) + begin(1, ['read', 'x']) + done(1, 1)


def write(key, value):
    return ['write', key, value], None


def append(key, value):
    return ['append', key, value], None


def read(key, value):
    return ['read', key], value


def txn(process, *acts, outcome='done', durable=False):
    return process, outcome, durable, acts


def history(items):
    """The text of transactions one after another, those of an inner list at the same time, and events by their word."""
    lines = [HEAD]
    for item in items:
        if isinstance(item, str):
            lines.append(json.dumps({'event': item}) + '\n')
            continue
        group = item if isinstance(item, list) else [item]
        lines += [begin(process, *(act for act, _ in acts)) for process, _, _, acts in group]
        for process, outcome, durable, acts in group:
            end = {'process': process, 'event': outcome, 'durable': durable}
            if outcome == 'done':
                end['answers'] = [answer for _, answer in acts]
            lines.append(json.dumps(end) + '\n')
    return ''.join(lines)


# The examples of docs/histories.md: the anomaly, a promise that it breaks, and what happened.
ANOMALIES = (
    ('G0', 'read-committed', [[txn(1, append('x', 1), append('y', 1)), txn(2, append('x', 2), append('y', 2))],
                              txn(3, read('x', [1, 2]), read('y', [2, 1]))]),
    ('G1a', 'read-committed', [txn(1, write('x', 1), outcome='failed'), txn(2, read('x', 1))]),
    ('G1b', 'read-committed', [[txn(1, write('x', 1), write('x', 2)), txn(2, read('x', 1))]]),
    ('G1c', 'read-committed', [[txn(1, write('x', 1), read('y', 1)), txn(2, write('y', 1), read('x', 1))]]),
    ('G-single', 'serialisable', [[txn(1, write('x', 1), write('y', 1)), txn(2, read('x', 1), read('y', None))]]),
    ('G-SIb', 'snapshot-isolation', [[txn(1, read('x', None), read('y', 1)), txn(2, write('x', 1)),
                                      txn(3, read('x', 1), read('y', None)), txn(4, write('y', 1))]]),
    ('G2-item', 'serialisable', [[txn(1, read('x', None), write('y', 1)), txn(2, read('y', None), write('x', 1))]]),
    ('lost update', 'snapshot-isolation', [txn(0, write('x', 0)), [txn(1, read('x', 0), write('x', 1)),
                                                                   txn(2, read('x', 0), write('x', 2))]]),
    ('internal', 'read-committed', [txn(0, write('x', 2)), txn(1, write('x', 1), read('x', 2))]),
    ('duplicate', 'read-committed', [txn(1, append('x', 1)), txn(2, read('x', [1, 1]))]),
    ('incompatible order', 'serialisable', [[txn(1, append('x', 1)), txn(4, append('x', 2))], txn(2, read('x', [1, 2])),
                                            txn(3, read('x', [2, 1]))]),
    ('garbage read', 'linearisable', [txn(1, write('x', 1)), txn(2, read('x', 7))]),
    ('stale read', 'linearisable', [txn(1, write('x', 1)), txn(1, write('x', 2)), txn(3, read('x', 2)), txn(2, read('x', 1))]),
    ('future read', 'linearisable', [txn(2, read('x', 1)), txn(1, write('x', 1))]),
    ('lost write', 'linearisable', [txn(1, write('x', 1)), txn(2, read('x', None))]),
    ('lost write', 'durability', [txn(1, write('x', 1), durable=True), 'crash', txn(2, read('x', None))]),
    ('hole in what was kept', 'durability', [txn(1, append('x', 1)), txn(1, append('x', 2)), 'crash', txn(2, read('x', [2]))]),
    ('cyclic cause', 'causal', [txn(1, read('x', 1)), txn(2, read('y', 1)), txn(1, write('y', 1)), txn(2, write('x', 1))]),
    ('cause missed', 'causal', [txn(1, write('x', 1)), txn(1, write('x', 2)), txn(1, write('y', 1)), txn(2, read('y', 1)),
                                txn(2, read('x', 1))]),
    ('cause missed (nothing seen)', 'causal', [txn(1, write('x', 1)), txn(1, write('y', 1)), txn(2, read('y', 1)),
                                               txn(2, read('x', None))]),
    ('cyclic order of writes', 'causal', [txn(1, write('x', 1)), txn(2, write('x', 2)), txn(3, read('x', 1)),
                                          txn(3, read('x', 2)), txn(3, read('x', 1))]),
    ('own write missed', 'read-your-writes', [txn(1, write('x', 1)), txn(1, read('x', None))]),
    ('went back', 'monotonic-reads', [txn(1, write('x', 1)), txn(1, write('x', 2)), txn(2, read('x', 2)), txn(2, read('x', 1))]),
    ('own writes swapped', 'monotonic-writes', [txn(1, append('x', 1)), txn(1, append('x', 2)), txn(2, read('x', [2, 1]))]),
    ('following write first', 'writes-follow-reads', [txn(1, append('x', 1)), txn(2, read('x', [1])), txn(2, append('x', 2)),
                                                      txn(3, read('x', [2]))]),
    ('diverged', 'convergence', [txn(1, write('x', 1)), txn(2, write('x', 2)), 'converged', txn(1, read('x', 1)),
                                 txn(2, read('x', 2))]),
    ('wrong total', 'total', [txn(0, write('a', 100), write('b', 100)), txn(1, write('a', 90)),
                              txn(2, read('a', 90), read('b', 100))]),
)


class History(volume.Case):
    def write(self, text, name='run.history'):
        path = os.path.join(self.top, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def verdicts(self, path, *words, code=0):
        answer = json.loads(self.good('check', path, '--json', *words, code=code))
        return {v['promise']: v for v in answer['verdicts']}

    # check

    def test_exit_codes(self):
        self.assertIn('linearisable         holds', self.good('check', self.write(GOOD)))
        self.assertIn('linearisable         BROKEN', self.good('check', self.write(STALE), code=5))
        self.good('check', self.write(STALE), '--promise', 'sequential,causal', '--promise', 'pram')
        told = self.good('check', self.write(GOOD), '--promise', 'convergence', code=6)
        self.assertIn('not applicable', told)

    def test_promises_of_the_header(self):
        weak = STALE.replace('1}', '1,"promises":["causal"]}', 1)
        self.assertEqual(list(self.verdicts(self.write(weak))), ['causal'])
        self.assertIn('linearisable', self.verdicts(self.write(weak), '--all', code=5))

    def test_standard_input(self):
        told = subprocess.run([volume.BINARY, 'check', '-'], input=STALE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(told.returncode, 5)
        self.assertIn('read x -> 1', told.stdout)

    def test_json(self):
        found = self.verdicts(self.write(STALE), '--promise', 'linearisable', code=5)['linearisable']
        self.assertEqual(found['result'], 'broken')
        self.assertTrue(found['anomaly'] and found['source'] and found['steps'])
        self.assertIn('process 1: read x -> 1', [step['text'] for step in found['steps']])

    def test_pictures(self):
        svg = os.path.join(self.top, 'a.b', 'out.svg')
        os.mkdir(os.path.dirname(svg))
        told = self.good('check', self.write(STALE), '--promise', 'linearisable,strict-serialisable', '--svg', svg, code=5)
        second = svg.replace('.svg', '-strict-serialisable.svg')
        for path in (svg, second):
            self.assertIn(path, told)
            self.assertIn('broken', ''.join(xml.parse(path).getroot().itertext()))
        self.bad('check', self.write(STALE), '--svg', '/nowhere/x.svg', says=['/nowhere/x.svg', 'No such'])

    def test_cut_off(self):
        ends = GOOD.replace('1}', '1,"ends":true}', 1)
        self.assertIn('cut off', self.good('check', self.write(ends)))
        self.assertNotIn('cut off', self.good('check', self.write(ends + '{"event":"end"}\n')))
        self.assertIn('cut off', self.good('check', self.write(GOOD + '{"process":1,"event":"beg')))
        self.assertIn('cut off', self.good('check', self.write(STALE + '{"pro'), code=5))

    def test_lists_promises(self):
        told = self.good('check', '--promises')
        for word in ('linearisable', 'durability', 'G-single', 'Adya 1999'):
            self.assertIn(word, told)
        self.assertGreater(len(json.loads(self.good('check', '--promises', '--json'))['anomalies']), 20)

    def test_bad_input(self):
        self.bad('check', code=2, says=['which history'])
        self.bad('check', os.path.join(self.top, 'no'), says=['cannot be opened', 'No such file'])
        self.bad('check', self.top, says=['Is a directory'])
        self.bad('check', self.write(GOOD), '--promise', 'serializable', code=2, says=['serialisable'])
        self.bad('check', self.write(''), says=['no history'])
        twice = self.write(HEAD + begin(3, ['read', 'x']) + begin(3, ['read', 'x']))
        self.bad('check', twice, says=[f'{twice}:3:13: process 3 begins while its operation of line 2'])

    def test_anomalies_of_the_documentation(self):
        names = {a['name'] for a in json.loads(self.good('check', '--promises', '--json'))['anomalies']}
        self.assertEqual(names - {name for name, _, _ in ANOMALIES}, {'no order explains it'})
        for name, promise, items in ANOMALIES:
            svg = os.path.join(self.top, 'picture.svg')
            found = self.verdicts(self.write(history(items)), '--promise', promise, '--svg', svg, code=5)[promise]
            self.assertEqual(found['anomaly'], name, found)
            self.assertIn(name, ''.join(xml.parse(svg).getroot().itertext()))

    # record

    def record(self, kind, *dirs, words=(), operations='600'):
        path = os.path.join(self.top, f'{kind}.history')
        done_ = self.run_pactfs('record', '--workload', kind, '--operations', operations, '--output', path, *words, *dirs)
        self.assertEqual(done_.returncode, 0, done_.stderr)
        return path

    def test_on_a_mount(self):
        self.up()
        for kind in WORKLOADS:
            for words in ((), ('--fsync',)):
                operations = '120' if words else '600'
                path = self.record(kind, self.mount, words=('--seed', str(os.getpid()), *words), operations=operations)
                verdicts = self.verdicts(path)
                self.assertEqual(verdicts['linearisable']['result'], 'holds')
                self.assertEqual(verdicts['convergence']['result'], 'holds')
                self.assertEqual('durability' in verdicts, bool(words))
                with open(path, encoding='utf-8') as file:
                    events = [json.loads(line) for line in file]
                self.assertEqual({e['process'] for e in events if 'process' in e}, {0, 1, 2, 3})
                self.assertGreaterEqual(sum(e.get('event') == 'done' for e in events), int(operations) * 3 // 4)
        self.assertEqual(os.listdir(self.mount), [])

    def test_two_directories_are_not_one(self):
        for name in ('a', 'b'):
            os.mkdir(os.path.join(self.top, name))
        for kind in WORKLOADS:
            path = self.record(kind, os.path.join(self.top, 'a'), os.path.join(self.top, 'b'))
            self.assertEqual(self.verdicts(path, '--promise', 'linearisable', code=5)['linearisable']['result'], 'broken')
            self.assertEqual(self.verdicts(path, '--promise', 'convergence', code=5)['convergence']['anomaly'], 'diverged')

    def test_the_same_seed_plans_the_same(self):
        os.mkdir(os.path.join(self.top, 'a'))
        plans = []
        for _ in range(2):
            path = self.record('list', os.path.join(self.top, 'a'), words=('--clients', '1'))
            with open(path, encoding='utf-8') as file:
                plans.append([json.loads(line).get('acts') for line in file])
        self.assertEqual(*plans)

    def test_ends_early(self):
        path = os.path.join(self.top, 'early.history')
        child = subprocess.Popen([volume.BINARY, 'record', '--workload', 'counter', '--seconds', '600', '--output', path,
                                  self.top], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.children.append(child)
        self.wait_for(lambda: glob.glob(os.path.join(self.top, 'pactfs-record-*', 'c*')))
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(DEADLINE), 0)
        self.assertEqual(self.verdicts(path, '--promise', 'linearisable')['linearisable']['result'], 'holds')
        self.assertEqual(glob.glob(os.path.join(self.top, 'pactfs-record-*')), [])

    def wait_for(self, condition):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), deadline, 'what was waited for did not come')

    def test_durable_over_a_kill(self):
        """kill -9 under load; what the files hold after the restart goes into the history as reads of a new process."""
        self.up()
        path = os.path.join(self.top, 'killed.history')
        child = subprocess.Popen([volume.BINARY, 'record', '--workload', 'list', '--keys', '3', '--seconds', '600', '--fsync',
                                  '--keep', '--output', path, self.mount], stderr=subprocess.PIPE)
        self.children.append(child)
        grown = os.path.join(self.mount, 'pactfs-record-*', 'l0.0')
        self.wait_for(lambda: any(os.path.getsize(name) > 60 for name in glob.glob(grown)))
        os.kill(self.pid(), signal.SIGKILL)
        self.assertEqual(child.wait(DEADLINE), 0, 'the recorder gives up when the mount is dead')
        self.run_pactfs('down', self.home)
        subprocess.run(['umount', '-l', self.mount], stderr=subprocess.DEVNULL)
        self.up()
        with open(path, encoding='utf-8') as file:
            lines = [line for line in file if '"converged"' not in line and '"end"' not in line]
        self.assertIn('"unknown"', ''.join(lines))
        lines.append('{"event":"crash"}\n')
        for name in sorted(glob.glob(os.path.join(self.mount, 'pactfs-record-*', 'l*'))):
            with open(name, encoding='utf-8') as file:
                values = [int(value) for value in file.read().split()]
            lines += [begin(99, ['read', os.path.basename(name)]), done(99, values)]
        whole = self.write(''.join(lines) + '{"event":"end"}\n', 'whole.history')
        self.assertEqual(self.verdicts(whole, '--promise', 'durability')['durability']['result'], 'holds')
        last = lines[-1].replace(f', {values[-1]}]', ']')
        self.assertNotEqual(last, lines[-1])
        less = self.write(''.join(lines[:-1]) + last + '{"event":"end"}\n', 'less.history')
        self.run_pactfs('check', less, '--promise', 'durability')  # the last may not have been answered
        few = lines[-1].replace(json.dumps(values), json.dumps(values[:1]))
        self.verdicts(self.write(''.join(lines[:-1]) + few + '{"event":"end"}\n', 'few.history'), '--promise', 'durability',
                      code=5)

    def test_bad_use(self):
        self.bad('record', self.top, code=2, says=['which workload'])
        self.bad('record', '--workload', 'lists', self.top, code=2, says=['did you mean list'])
        self.bad('record', '--workload', 'list', code=2, says=['something is missing'])
        self.bad('record', '--workload', 'list', '--clients', '0', self.top, code=2, says=['--clients', '1 to 64'])
        self.bad('record', '--workload', 'bank', '--keys', '1', self.top, code=2, says=['2 to 64'])
        self.bad('record', '--workload', 'list', '--output', '/dev/null', '/nowhere', says=['/nowhere', 'No such file'])
        self.bad('record', '--workload', 'list', '--operations', '9', '--output', '/nowhere/x', self.top, says=['/nowhere/x'])
        self.assertEqual(glob.glob(os.path.join(self.top, 'pactfs-record-*')), [])


if __name__ == '__main__':
    volume.main()
