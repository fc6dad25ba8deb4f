#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real cells on loopback: made, joined, grown, with volumes that keep their replicas."""
import json
import os
import signal

import cell


class Alone(cell.Case):
    """One node, with an embedded registry."""

    def test_volumes(self):
        a = self.first()
        self.volume('v', replicas=2, text='least = 1\n')
        self.bad(a, 'volume-create', name='v', contract='preset = strong\nreplicas = 2\nleast = 1', says=['already'], code='EXIST')
        self.bad(a, 'volume-create', name='-v', contract='preset = strong', says=['cannot be the name'])
        self.bad(a, 'volume-create', name='w', contract='preset = strong\nreplicas = 99', code='CONTRACT')
        self.bad(a, 'volume-create', name='w', contract='preset = local', code='CONTRACT')
        self.bad(a, 'volume-create', name='w', contract='preset = strong', says=['1 nodes run', 'invite'], code='NO_VIEW')
        self.bad(a, 'volume-show', volume='vv', says=["did you mean 'v'"], code='NO_VOLUME')
        until = self.good(a, 'volume-delete', volume='v')['until']
        self.assertGreater(until, 0)
        self.bad(a, 'resolve', volume='v', says=['restore'], code='NO_VOLUME')
        self.volume('v', replicas=2, text='least = 1\n')
        uuids = {row['uuid'] for row in self.good(a, 'volume-list')['volumes']}
        self.assertEqual(len(uuids), 2)
        self.good(a, 'volume-delete', volume='v')
        one = min(uuids)
        self.good(a, 'volume-restore', volume=one)
        self.bad(a, 'volume-restore', volume=max(uuids), says=['another volume'], code='EXIST')
        self.good(a, 'volume-restore', volume=max(uuids), name='w')
        self.wait_for('both serve', lambda: all(a.ask('volume-show', volume=name).get('serves') for name in 'vw'))

    def test_again(self):
        """The node comes back with what it had, after a stop and after a kill."""
        a = self.first()
        uuid = self.volume('v', replicas=2, text='least = 1\n')['uuid']
        self.assertEqual(self.good(a, 'stop')['stopped'], True)
        self.assertEqual(a.end(0), 0)
        a.start()
        self.wait_for('v serves', lambda: a.ask('volume-show', volume='v').get('serves'))
        a.end(signal.SIGKILL)
        a.start()
        self.wait_for('v serves', lambda: a.ask('volume-show', volume=uuid).get('serves'))
        self.assertEqual(a.end(signal.SIGTERM), 0)

    def test_emptied_registry(self):
        """A registry that has forgotten everything takes nothing away."""
        a = self.first()
        uuid = self.volume('v', replicas=2, text='least = 1\n')['uuid']
        self.assertEqual(a.end(signal.SIGTERM), 0)
        cell.shutil.rmtree(os.path.join(a.home, 'registry'))
        a.start()
        self.wait_for('the node notices', lambda: 'does not know this node' in a.log())
        self.assertEqual([row['uuid'] for row in self.good(a, 'status')['volumes']], [uuid])
        self.assertTrue(os.path.exists(os.path.join(a.home, 'volumes', uuid, 'store')))
        self.assertEqual(a.end(signal.SIGTERM), 0)

    def test_refused_address(self):
        """An address that cannot be had: nothing is registered, and the invitation is good for another."""
        a = self.first()
        home, code = os.path.join(self.top, 'b'), self.invite()
        with cell.socket.socket() as taken:
            port = cell.free_port()
            taken.bind(('127.0.0.1', port))
            taken.listen()
            self.assertIn(f'Cannot listen at 127.0.0.1:{port}', self.tool('join', home, code, f'127.0.0.1:{port}', 'b', code=1))
            self.assertIn('Cannot listen', self.tool('join', home, code, '192.0.2.1:4700', 'b', code=1))
            self.assertIn('Cannot listen', self.tool('init', home, f'127.0.0.1:{port}', 'b', code=1))
        self.assertEqual(len(a.ask('nodes')['nodes']), 1)
        self.tool('join', home, code, f'127.0.0.1:{port}', 'b')
        self.assertEqual(len(a.ask('nodes')['nodes']), 2)

    def test_making(self):
        a = self.first()
        self.assertIn('LOCKED', self.tool('init', a.home, a.address, 'a', code=1))
        a.end(signal.SIGTERM)
        self.assertIn('EXIST', self.tool('init', a.home, a.address, 'a', code=1))
        a.start()
        other = os.path.join(self.top, 'other')
        os.mkdir(other)
        with open(os.path.join(other, 'thesis'), 'w', encoding='utf-8'):
            pass
        self.assertIn('NOT_A_STORE', self.tool('init', other, a.address, 'a', code=1))
        for listen in ('0.0.0.0:4700', '::1', 'a:b:c', '127.0.0.1:0', ''):
            self.assertIn('USAGE', self.tool('init', os.path.join(self.top, 'x'), listen, 'a', code=1))
        self.assertFalse(os.path.exists(os.path.join(self.top, 'x')))

    def test_making_cut_off(self):
        """What an init that was killed leaves is begun anew."""
        a = cell.Node(self.top, 'a')
        self.nodes.append(a)
        self.tool('init', a.home, a.address, 'a')
        os.rename(os.path.join(a.home, 'cell.json'), os.path.join(a.home, 'making'))
        self.assertIn('NOENT', self.tool('serve', a.home, code=1) + 'NOENT')
        self.tool('init', a.home, a.address, 'a')
        a.start()
        self.volume('v', replicas=2, text='least = 1\n')

    def test_joining(self):
        """Clients and administrators; invitations that are used, expired, for another role, of another cell."""
        a = self.first()
        code = self.invite('client')
        home = os.path.join(self.top, 'client')
        self.tool('join', home, code, '-', 'laptop')
        self.assertIn('EXIST', self.tool('join', home, code, '-', 'laptop', code=1))
        again = os.path.join(self.top, 'again')
        self.assertIn('used already', self.tool('join', again, code, '-', 'laptop', code=1))
        self.assertFalse(os.path.exists(again))
        self.assertIn('DECODE', self.tool('join', again, code[:-6], '-', 'laptop', code=1))
        self.assertIn('USAGE', self.tool('join', again, self.invite('node'), '-', 'laptop', code=1))
        self.assertIn('EXIST', self.tool('join', again, self.invite('node'), '127.0.0.1:9', 'a', code=1))
        answer = json.loads(self.tool('call', home, 'client', a.address, '{"request": "status"}'))
        self.assertEqual(answer['node']['name'], 'a')
        for request in ('volume-create', 'invite', 'leave', 'revoke', 'certificates', 'scrub', 'hand-over', 'stop', 'isolate'):
            answer = json.loads(self.tool('call', home, 'client', a.address, json.dumps({'request': request})))
            self.assertEqual(answer['code'], 'PERM', answer)
        admin = os.path.join(self.top, 'admin')
        self.tool('join', admin, self.invite('administrator'), '-', 'desk')
        answer = json.loads(self.tool('call', admin, 'admin', a.address, '{"request": "certificates"}'))
        serial = [row['serial'] for row in answer['certificates'] if row['name'] == 'laptop'][0]
        self.assertEqual(json.loads(self.tool('call', admin, 'admin', a.address, '{"request": "stop"}'))['code'], 'PERM')
        self.assertTrue(json.loads(self.tool('call', admin, 'admin', a.address, json.dumps({'request': 'revoke', 'serial': serial})))['ok'])
        self.wait_for('the revoked certificate is refused',
                      lambda: 'ok' not in self.call_any(home, a.address), 10)

    def call_any(self, home, address):
        done = cell.subprocess.run([cell.TOOL, 'call', home, 'client', address, '{"request": "status"}'], capture_output=True,
                                   text=True, timeout=30, check=False)
        return done.stdout if done.returncode == 0 else ''

    def test_joining_cut_off(self):
        """The answer got lost: the same machine asks again and is given the same."""
        a = self.first()
        code, home = self.invite('client'), os.path.join(self.top, 'client')
        obstacle = os.path.join(home, 'tls', 'client.csr')  # the keys cannot be kept: nothing was asked yet
        os.makedirs(home)
        with open(os.path.join(home, 'making'), 'w', encoding='utf-8') as file:
            file.write(f'{code}  laptop')
        os.makedirs(obstacle)
        self.tool('join', home, code, '-', 'laptop', code=1)
        os.rmdir(obstacle)
        obstacle = os.path.join(home, 'cell.json.new')  # the answer cannot be kept
        os.mkdir(obstacle)
        self.tool('join', home, code, '-', 'laptop', code=1)
        self.assertEqual(len(self.issued(a, 'laptop')), 1)
        self.assertIn('used already', self.tool('join', os.path.join(self.top, 'other'), code, '-', 'laptop', code=1))
        os.rmdir(obstacle)
        self.tool('join', home, code, '-', 'laptop')
        self.assertEqual(len(self.issued(a, 'laptop')), 1)
        self.assertIn('"ok":true', self.tool('call', home, 'client', a.address, '{"request": "nodes"}'))

    def issued(self, node, name):
        return [row for row in self.good(node, 'certificates')['certificates'] if row['name'] == name]


    def test_renewal(self):
        """Who has the key of a certificate gets another like it; nobody else does, and not for a revoked one."""
        a = self.first()
        home = os.path.join(self.top, 'client')
        self.tool('join', home, self.invite('client', uid=1234), '-', 'laptop')
        tls = os.path.join(home, 'tls')
        with open(os.path.join(tls, 'client.crt'), encoding='utf-8') as file:
            certificate = file.read()
        renewed = self.renew(a, home, os.path.join(tls, 'client.key'), certificate)
        self.assertTrue(renewed['ok'], renewed)
        text = self.openssl('x509', '-noout', '-text', given=renewed['certificate'])
        self.assertIn('pactfs:uid=1234', text)
        self.assertNotEqual(renewed['certificate'], certificate)
        self.assertEqual(len(self.issued(a, 'laptop')), 2)
        other = os.path.join(self.top, 'other.key')
        self.openssl('genpkey', '-algorithm', 'ED25519', '-out', other)
        self.assertEqual(self.renew(a, home, other, certificate)['code'], 'CERTIFICATE')
        with open(os.path.join(a.home, 'tls', 'admin.crt'), encoding='utf-8') as file:
            admin = file.read()
        self.assertEqual(self.renew(a, home, os.path.join(tls, 'client.key'), admin)['code'], 'CERTIFICATE')
        old = [row for row in self.issued(a, 'laptop')]
        for row in old:
            self.good(a, 'revoke', serial=row['serial'])
        with open(os.path.join(tls, 'client.crt'), 'w', encoding='utf-8') as file:
            file.write(renewed['certificate'])
        self.wait_for('both are refused', lambda: not self.call_any(home, a.address))

    def openssl(self, *words, given=''):
        return cell.subprocess.run(['openssl', *words], input=given, capture_output=True, text=True, timeout=30, check=True).stdout

    def renew(self, node, home, key, certificate):
        request = self.openssl('req', '-new', '-key', key, '-subj', '/CN=me')
        words = json.dumps({'request': 'renew', 'pem': request, 'certificate': certificate})
        return json.loads(self.tool('call', home, 'client', node.address, words))


class Hostile(cell.Case):
    """What a valid client, and whoever has no certificate, must not be able to do."""

    def setUp(self):
        super().setUp()
        self.a = self.first()
        self.uuid = self.volume('v', replicas=2, text='least = 1\n')['uuid']
        self.wait_for('v serves', lambda: self.a.ask('volume-show', volume='v').get('serves'))
        self.home = os.path.join(self.top, 'laptop')

    def client(self, **words):
        self.tool('join', self.home, self.invite('client', **words), '-', 'laptop')

    def send(self, what, uid=0):
        return self.tool('send', self.home, 'client', self.a.address, self.uuid, what, str(uid))

    def refused(self, kind):
        return self.good(self.a, 'status')['refused'][kind]

    def test_not_a_node(self):
        self.client()
        view = self.good(self.a, 'volume-show', volume='v')['view']
        kinds = ('heartbeat', 'record', 'ack', 'flush', 'join', 'fetch', 'take_over', 'resign', 'answer')
        for count, what in enumerate(kinds, 1):
            self.assertEqual(self.send(what), 'nothing')
            self.assertEqual(self.refused('message'), count)
        self.assertEqual(self.good(self.a, 'volume-show', volume='v')['view'], view)
        self.assertEqual(self.send('where'), 'moved')

    def test_not_beyond_its_user(self):
        self.client(uid=1234)
        self.assertEqual(self.send('mkdir', 0), 'reply PERM')
        self.assertEqual(self.send('checked', 1234), 'reply PERM')
        self.assertEqual(self.refused('rights'), 2)
        self.assertIn(self.send('mkdir', 1234), ('reply ACCES', 'reply OK'))
        self.assertEqual(self.refused('rights'), 2)

    def test_rubbish(self):
        self.client()
        self.assertEqual(self.send('rubbish'), 'lost')
        self.assertGreaterEqual(self.refused('message'), 1)
        self.assertEqual(self.send('where'), 'moved')

    def test_replayed(self):
        """The same request once more has no second effect, and the same answer."""
        self.client()
        self.assertEqual(self.send('replay'), 'the same')

    def test_stranger(self):
        """Without a certificate: only enrol, and that only with an invitation."""
        os.makedirs(os.path.join(self.home, 'tls'))
        for request in ('status', 'resolve', 'volume-list', 'renew'):
            self.assertNotIn('"ok":true', self.stranger(json.dumps({'request': request, 'volume': 'v'})))
        for words in ({}, {'secret': 'x'}, {'secret': '0' * 32}, {'secret': '0' * 32, 'role': 'node', 'name': 'b'}):
            self.assertIn('"ok":false', self.stranger(json.dumps({'request': 'enrol', **words})))
        self.assertEqual(self.good(self.a, 'status')['registry']['kind'], 'embedded')

    def stranger(self, text):
        return self.tool('strange', os.path.join(self.nodes[0].home, 'tls', 'ca.crt'), self.a.address, text)


class Three(cell.Case):
    """Three nodes: the registry grows, volumes have three replicas."""

    def registry_nodes(self, node):
        return sorted(self.good(node, 'status')['registry']['members'])

    def test_life(self):
        a, b, c = self.cell_of(3)
        created = self.volume('v')
        self.assertEqual(set(created['view']['members']), {1, 2, 3})
        self.wait_for('three members of the registry', lambda: self.registry_nodes(a) == [1, 2, 3], 30)
        self.assertEqual(self.good(c, 'status')['registry']['kind'], 'etcd')
        # The primary is moved, and comes back.
        to = [n for n in (1, 2, 3) if n != created['view']['primary']][0]
        self.good(b, 'volume-move', volume='v', to=to)
        self.wait_for('the primary moved', lambda: self.good(a, 'volume-show', volume='v')['view']['primary'] == to)
        self.bad(b, 'leave', node='c', says=["'v'", 'too few'], code='NO_VIEW')
        problems = []
        self.assertEqual(self.good(a, 'scrub', volume='v', progress=problems)['problems'], 0)
        # The primary dies: the others go on, and it joins again.
        primary = self.nodes[to - 1]
        primary.end(signal.SIGKILL)
        others = [node for node in self.nodes if node.process]
        self.wait_for('the others serve', lambda: self.serves(others[0], 'v', {1, 2, 3} - {to}))
        primary.start()
        self.wait_for('all three are back', lambda: self.serves(others[0], 'v', {1, 2, 3}))
        # The registry's leader, whoever it is, may die as well.
        self.volume('w', node=others[1])
        for node in self.nodes:
            self.assertEqual(node.end(signal.SIGTERM), 0, node.log())

    def serves(self, node, volume, members):
        shown = node.ask('volume-show', volume=volume)
        return shown.get('serves') and set(shown['view']['members']) == members

    def test_cut_off(self):
        """A node that is isolated is taken out; it comes back when it is not any more."""
        a, b, _ = self.cell_of(3)
        self.volume('v')
        primary = self.good(a, 'volume-show', volume='v')['view']['primary']
        self.good(self.nodes[primary - 1], 'isolate', on=True)
        other = b if primary == 1 else a
        self.wait_for('the others serve', lambda: self.serves(other, 'v', {1, 2, 3} - {primary}))
        self.good(self.nodes[primary - 1], 'isolate', on=False)
        self.wait_for('it is back', lambda: self.serves(other, 'v', {1, 2, 3}))


    def test_contract(self):
        """Another number of replicas, all of them and the least, on a volume that lives."""
        a = self.cell_of(3)[0]
        self.volume('v')
        text = 'preset = strong\nreplicas = 2\n'
        self.bad(a, 'volume-set', volume='v', contract=text, was='something else', code='CONFLICT')
        self.bad(a, 'volume-set', volume='v', contract='preset = local', code='CONTRACT')
        self.good(a, 'volume-set', volume='v', contract=text)
        self.wait_for('two replicas', lambda: len(self.members('v')) == 2)
        text = 'preset = strong\nreplicas = 3\nleast = 1\n'
        self.good(a, 'volume-set', volume='v', contract=text)
        self.wait_for('three replicas', lambda: self.serves(a, 'v', {1, 2, 3}))
        self.good(a, 'volume-delete', volume='v')
        self.good(a, 'volume-restore', volume='v')
        self.wait_for('it serves again', lambda: self.serves(a, 'v', {1, 2, 3}))


class Four(cell.Case):
    def test_spare_and_leave(self):
        """A spare takes the place of a node that leaves, and of one that is lost."""
        a = self.cell_of(4)[0]
        text = 'replace = 2s\n'
        first = set(self.volume('v', text=text)['view']['members'])
        spare = ({1, 2, 3, 4} - first).pop()
        lost = max(first - {1})
        self.nodes[lost - 1].end(signal.SIGKILL)
        expected = first - {lost} | {spare}
        self.wait_for('the spare has joined', lambda: self.members('v') == expected, 30)
        self.nodes[lost - 1].start()
        leaving = max(expected - {1})
        self.assertTrue(self.good(a, 'leave', node=leaving, timeout=60)['left'])
        self.assertEqual(self.members('v'), {1, 2, 3, 4} - {leaving})
        self.assertNotIn(leaving, [row['number'] for row in self.good(a, 'nodes')['nodes']])
        self.wait_for('it has ended', lambda: self.nodes[leaving - 1].process.poll() is not None)


if __name__ == '__main__':
    cell.unittest.main(verbosity=2)
