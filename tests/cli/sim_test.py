#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pactfs sim and scenario files: bad input of every kind, with place and reason; where scenarios are found."""
import os
import shutil
import subprocess
import tempfile
import unittest

BINARY = os.path.abspath(os.environ.get('PACTFS', 'build/pactfs'))
GOOD = 'system = memory\nworkload = register\nlength = 1s\nheal = 1s\nclients = 2\ncheck = linearisable\n'


class Sim(unittest.TestCase):
    def setUp(self):
        self.top = os.path.realpath(tempfile.mkdtemp(prefix='pactfs-sim-'))
        self.addCleanup(shutil.rmtree, self.top)

    def run_sim(self, *words):
        return subprocess.run([BINARY, 'sim', *words], cwd=self.top, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120)

    def write(self, text, name='bad.scn'):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return name

    def refused(self, *words, says, code=2):
        done = self.run_sim(*words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(done.stdout, '')
        self.assertTrue(done.stderr.startswith('pactfs: '), done.stderr)
        for piece in [says] if isinstance(says, str) else says:
            self.assertIn(piece, done.stderr)

    # --- files ---

    def test_line_column_and_reason(self):
        for text, says in (
                ('clints = 3\n', ['bad.scn:7:1: ', "did you mean 'clients'"]),
                ('  fault = powercut every 2s\n', ['bad.scn:7:11: ', "did you mean 'power-cut'"]),
                ('fault = kill every 9s..2s\n', ['bad.scn:7:20: ', 'longer than the second']),
                ('fault = rot every 2s for 1s\n', ['bad.scn:7:22: ', 'has no duration']),
                ('think = 20\n', ['bad.scn:7:9: ', 'unit']),
                ('reads = 40\n', ['bad.scn:7:9: ', 'write 40%']),
                ('clients = 2\n', ['bad.scn:7:1: ', 'in line 5 already']),
                ('nonsense\n', ['bad.scn:7:1: ', 'KEY = VALUE']),
                ('contract = caf\u00e9\n', ['bad.scn:7:15: ', '0xc3', 'ASCII'])):
            self.write(GOOD + text)
            self.refused('bad.scn', says=says)

    def test_what_is_missing(self):
        self.write('system = memory\nworkload = register\n')
        self.refused('bad.scn', says="no line 'check = ...'")
        self.write('')
        self.refused('./bad.scn', says="no line 'system = ...'")
        self.write(b'\0\1\2\xff' * 1000)
        self.refused('bad.scn', says=['bad.scn:1:1: ', '0x00'])

    def test_what_no_system_can(self):
        self.write(GOOD.replace('memory', 'memry'))
        self.refused('bad.scn', says=['bad.scn: ', 'memry', 'memory'])
        self.write(GOOD.replace('register', 'tree'))
        self.refused('bad.scn', says=['bad.scn: ', 'no tree'])
        self.write(GOOD + 'fault = partition every 2s\n')
        self.refused('bad.scn', says=['bad.scn: ', 'partition'])
        self.write(GOOD + 'nodes = 3\n')
        self.refused('bad.scn', says=['bad.scn: ', 'nodes = 1'])

    def test_no_such_file(self):
        self.refused('no.scn', says='No such file', code=1)
        self.refused('./no', says='No such file', code=1)
        os.mkdir(os.path.join(self.top, 'dir.scn'))
        self.refused('dir.scn', says='dir.scn', code=1)

    # --- names ---

    def test_names_are_found_here_first(self):
        self.write('# What it is about.\n' + GOOD, 'scenarios/mine.scn')
        done = self.run_sim('mine', '--seeds', '1-3')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('3 seeds', done.stdout)
        listed = self.run_sim('--list')
        self.assertIn('mine', listed.stdout)
        self.assertIn('What it is about.', listed.stdout)
        self.assertNotIn('power-cuts', listed.stdout)
        self.refused('mines', says="did you mean 'mine'")
        self.refused('power-cuts', says=['no scenario', '--list'])

    def test_names_are_found_beside_the_build(self):
        listed = self.run_sim('--list')
        self.assertEqual(listed.returncode, 0)
        self.assertIn('power-cuts', listed.stdout)
        self.assertIn('volume', listed.stdout)

    # --- options ---

    def test_options(self):
        self.write(GOOD, 'good.scn')
        for words, says in (
                (['--seeds', '9-2'], "'9-2'"), (['--seeds', 'x'], "'x'"), (['--seeds', '1-'], "'1-'"),
                (['--seeds', '1-99999999999999999999'], '--seeds'), (['--seed', '-1'], '--seed'),
                (['--seed', '1', '--seeds', '1-2'], 'one of them'), (['--seeds', '1', '--jobs', '0'], '--jobs'),
                (['--minutes', '0'], '--minutes'), (['--hours', 'many'], '--hours'), (['--patience', '0'], '--patience'),
                (['--set', 'clients'], 'KEY=VALUE'), (['--set', '=2'], 'KEY=VALUE'),
                (['--set', 'clients=0'], 'from 1 to 64'), (['--set', 'clints=2'], "did you mean 'clients'"),
                (['--set', 'fault.kill=off'], "no fault 'kill'"), (['--set', 'system=volum'], 'volume'),
                (['--transcript'], '--seed'), (['--transcript', '--seed', '1', '--json'], '--json'),
                (['--sed', '1'], 'did you mean --seed'), (['--mutant', 'x'], '--mutant'), (['--marks'], '--marks')):
            self.refused('good.scn', *words, says=says)

    def test_a_set_is_tried_on_every_scenario(self):
        self.write(GOOD, 'good.scn')
        self.write(GOOD.replace('memory', 'volume') + 'fault = clock-jump every 1s\n', 'other.scn')
        self.refused('good.scn', 'other.scn', '--set', 'fault.clock-jump=off', says='good.scn')

    def test_many_scenarios(self):
        for i in range(40):
            self.write(GOOD, f'scenarios/s{i:02}.scn')
        done = self.run_sim('--seeds', '1-2')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(' 2 seeds'), 40)


if __name__ == '__main__':
    unittest.main(verbosity=2)
