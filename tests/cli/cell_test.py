#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands for cells, as far as no cell is needed: words, codes, contracts, homes, and what they say when refused."""
import json
import os

import volume

CODE = ('PF04041R9J3B9J67FQB1C8GEBHR0Q2H64TM5V3RDNQ2ZXJ4B6F8Z8QA2')  # made up: its check digits cannot fit


class Cell(volume.Case):
    def setUp(self):
        super().setUp()
        self.env = dict(os.environ, HOME=self.top, XDG_DATA_HOME=os.path.join(self.top, 'data'))
        self.env.pop('PACTFS_HOME', None)

    def refused(self, *words, code=1, says=(), **options):
        return self.bad(*words, code=code, says=says, env=options.pop('env', self.env), **options)

    def cell_home(self, name='cell', role='administrator', node=0):
        """A home as joining makes it, but for keys and certificates."""
        home = os.path.join(self.top, name)
        os.mkdir(home)
        about = {'cell': '00112233445566778899aabbccddeeff', 'name': 'lab', 'self': 'me', 'role': role,
                 'node': node,
                 'listen': '127.0.0.1:2' if node else '',
                 'registry': {'kind': 'embedded', 'urls': [], 'client_port': 0, 'peer_port': 0},
                 'nodes': [{'number': 1, 'name': 'alpha', 'address': '127.0.0.1:1'}]}
        with open(os.path.join(home, 'cell.json'), 'w', encoding='utf-8') as file:
            json.dump(about, file)
        return home

    # --- the words ---

    def test_help_names_every_command(self):
        text = self.good('--help')
        for name in ('init', 'invite', 'join', 'nodes', 'leave', 'volume', 'certificates', 'demo', 'mount'):
            self.assertIn(f'pactfs {name} ', text)
            self.assertIn(f'pactfs {name}', self.good('help', name))
        self.assertNotIn('pactfs agent', text)

    def test_near_words(self):
        self.refused('invte', code=2, says=["did you mean 'invite'"])
        self.refused('volume', 'creat', 'x', code=2, says=["did you mean 'pactfs volume create'"])
        self.refused('volume', 'elephant', code=2, says=['pactfs volume --help'])
        self.refused('demo', 'kil', '2', code=2, says=["did you mean 'pactfs demo kill'"])
        self.refused('invite', '--clint', code=2, says=['did you mean --client'])

    def test_words_missing_or_too_many(self):
        self.refused('volume', code=2, says=['something is missing'])
        self.refused('volume', 'show', code=2, says=['something is missing', 'volume show NAME'])
        self.refused('volume', 'set', 'x', code=2, says=['something is missing'])
        self.refused('volume', 'list', 'x', code=2, says=["'x' is one argument too many"])
        self.refused('volume', 'move', 'x', 'a', 'b', code=2, says=["'b' is one argument too many"])
        self.refused('volume', 'list', '--yes', code=2, says=['--yes has no meaning'])
        self.refused('join', code=2, says=['something is missing'])
        self.refused('init', self.home, code=2, says=['--listen'])
        self.refused('invite', '--client', '--administrator', code=2, says=['leave one'])
        self.refused('invite', '--uid', '7', code=2, says=['add --client'])
        self.refused('invite', '--minutes', '0', code=2, says=['1 to 10080'])
        self.refused('demo', 'kill', code=2, says=['1 to 3'])
        self.refused('demo', 'kill', '4', code=2, says=['1 to 3'])

    # --- the code of an invitation ---

    def test_bad_codes(self):
        for code, says in (('hello', 'begins with PF'), ('PF', 'cut off'), (CODE, 'code'), (CODE[:20] + '$', "'$'")):
            self.refused('join', code, self.home, '--listen', '127.0.0.1:4700', says=[says])
        self.assertFalse(os.path.exists(self.home))

    # --- homes ---

    def test_no_home_of_a_cell(self):
        for words in (['nodes'], ['invite'], ['leave'], ['certificates'], ['volume', 'list'],
                      ['mount', 'work', self.mount, '--home', self.home]):
            home = [] if '--home' in words else ['--home', self.home]
            self.refused(*words, *home, says=['no home of a cell', 'pactfs init'])
        self.assertFalse(os.path.exists(self.home))
        self.assertFalse(os.path.exists(self.mount))

    def test_default_homes(self):
        home = self.cell_home()
        self.refused('nodes', says=[os.path.join(self.top, 'data', 'pactfs')])
        self.refused('nodes', env=dict(self.env, PACTFS_HOME=home), says=['no certificate'])
        self.refused('nodes', '--home', home, says=['no certificate'])
        text = self.good('status', home, code=3)
        self.assertIn('lab', text)
        state = json.loads(self.good('status', home, '--json', code=3))
        self.assertEqual((state['running'], state['cell'], state['mounts']), (False, 'lab', []))

    def test_a_node_that_does_not_run(self):
        home = self.cell_home(role='node', node=1)
        self.refused('volume', 'list', '--home', home, says=['not running', 'pactfs up'])
        self.assertEqual(self.run_pactfs('status', home).returncode, 3)
        self.refused('up', home, '--mount', self.mount, says=['without --mount'])

    def test_damaged_cell_file(self):
        home = self.cell_home()
        with open(os.path.join(home, 'cell.json'), 'w', encoding='utf-8') as file:
            file.write('{"cell": 7')
        self.refused('nodes', '--home', home, says=['cell.json'])

    # --- contracts ---

    def test_contracts(self):
        home = self.cell_home()

        def create(*words, says):
            self.refused('volume', 'create', *words, '--home', home, says=says)
        create('work', 'replicas=1', says=['nearest legal line', 'replicas = 2'])
        create('work', 'replicas=2', 'least=3', says=["'least = 2'"])
        create('work', 'replica=2', says=["did you mean 'replicas'"])
        create('work', 'replicas', says=['KEY=VALUE'])
        create('work', '--contract', 'strng', says=["did you mean 'strong'"])
        create('work', '--contract', 'local', says=['pactfs up'])
        create('work', '--contract', '/nowhere/at/all', says=['neither a preset'])
        create('wo/rk', says=['cannot be the name'])
        create('work', 'failover=100ms', says=['failover = 500ms', 'registry'])
        path = os.path.join(self.top, 'mine')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('preset = strong\n\nread = quorum\n')
        create('work', '--contract', path, says=['line 3', 'not built yet'])
        with open(path, 'w', encoding='utf-8') as file:
            file.write('preset = strong\nreplicas = 5\n')
        create('work', '--contract', path, 'replicas=2', says=['no certificate'])  # legal, and nobody to ask

    # --- mounts ---

    def test_mounts(self):
        home = self.cell_home()
        self.refused('mount', 'no/name', self.mount, '--home', home, says=['cannot be the name'])
        self.refused('mount', 'work', '--home', home, says=['pactfs mount work DIR'])
        self.refused('mount', 'work', self.top, '--home', home, says=['hidden'])
        self.refused('umount', self.mount, '--home', home, code=3, says=['nothing is mounted'])
        self.refused('explain', '--home', home, says=['which volume'])
        self.assertFalse(os.path.exists(self.mount))

    def test_what_a_dead_mount_left(self):
        home = self.cell_home()
        mounts = os.path.join(home, 'mounts')
        os.makedirs(mounts)
        with open(os.path.join(mounts, '1'), 'w', encoding='utf-8') as file:
            json.dump({'volume': 'work', 'dir': self.mount, 'pid': 999999999}, file)
        with open(os.path.join(mounts, '2'), 'w', encoding='utf-8') as file:
            file.write('{"volume": 3')
        state = json.loads(self.good('status', home, '--json', code=3))
        self.assertEqual([m['running'] for m in state['mounts']], [False])
        self.good('umount', self.mount, '--home', home)
        self.assertEqual(os.listdir(mounts), ['2'])

    # --- the demo ---

    def test_demo_refuses(self):
        there = os.path.join(self.top, 'there')
        self.refused('demo', 'status', '--dir', there, code=3, says=['no demo'])
        self.refused('demo', 'down', '--dir', there, code=3, says=['no demo'])
        os.mkdir(there)
        with open(os.path.join(there, 'mine'), 'w', encoding='utf-8') as file:
            file.write('mine')
        before = volume.listing(there)
        self.refused('demo', '--dir', there, '--mount', self.mount, says=['not a demo'])
        self.refused('demo', 'down', '--dir', there, code=3)
        self.assertEqual(volume.listing(there), before)

    def test_demo_signals_only_its_own(self):
        """A number that belongs to somebody else by now is left alone."""
        there = os.path.join(self.top, 'there')
        os.mkdir(there)
        process = {'pid': os.getpid(), 'began': 1}
        with open(os.path.join(there, 'demo.json'), 'w', encoding='utf-8') as file:
            json.dump({'mount': self.mount, 'made_mount': False, 'agent': process,
                       'nodes': [{'process': process, 'cut': False, 'address': 'x:1'}] * 3}, file)
        self.refused('demo', 'kill', '2', '--dir', there, says=['does not run'])
        state = json.loads(self.good('demo', 'status', '--json', '--dir', there))
        self.assertEqual([n['state'] for n in state['nodes']], ['killed'] * 3)
        self.good('demo', 'down', '--dir', there)
        self.assertFalse(os.path.exists(there))


if __name__ == '__main__':
    volume.main()
