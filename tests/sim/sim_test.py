#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pactfs sim, from outside: what is broken is reported, made smaller and replayed; runs are the same whatever the number
of processes; a run that dies, hangs or is interrupted is dealt with.

  sim_test.py PACTFS PACTFS_INSTRUMENTED
"""
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIMEOUT = 240
PACTFS, INSTRUMENTED = '', ''
CANARIES = sorted(os.path.basename(path)[:-4] for path in glob.glob(os.path.join(TOP, 'scenarios', 'canary-*.scn')))
LASTING = ['sim', 'abd', '--seeds', '1-100000000']  # seeds enough to be interrupted at


def sim(*words, program=None):
    return subprocess.run([program or PACTFS, 'sim', *words], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=TIMEOUT)


def sim_json(*words, program=None):
    done = sim(*words, '--json', program=program)
    return done.returncode, json.loads(done.stdout)


def replay(command):
    return subprocess.run(shlex.split(command), cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=TIMEOUT)


def transcript_of(said):
    """The lines of virtual time: what is the same each time."""
    return [line for line in said.stdout.splitlines() if line.startswith('  ')]


def children_of(pid):
    """Processes whose parent is pid, as far as they live."""
    found = []
    for path in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(path, encoding='utf-8') as file:
                fields = file.read().rsplit(') ', 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != 'Z':
            found.append(int(path.split('/')[2]))
    return found


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError('waited in vain')
        os.sched_yield()


class Failures(unittest.TestCase):
    def test_every_canary_is_caught(self):
        self.assertGreaterEqual(len(CANARIES), 4)
        code, report = sim_json(*CANARIES)
        self.assertEqual(code, 0, report)
        self.assertIsNone(report['failure'])
        for row in report['scenarios']:
            self.assertEqual(row['expect'], 'broken')
            self.assertTrue(row['good'], row)
            self.assertGreaterEqual(row['failures'], 1)

    def test_a_canary_that_lives_is_a_failure(self):
        said = sim('canary-abd', '--set', 'option.write-back=yes', '--seeds', '1-5')
        self.assertEqual(said.returncode, 5)
        self.assertIn('NOT BROKEN', said.stdout)
        code, report = sim_json('canary-abd', '--set', 'option.write-back=yes', '--seeds', '1-5')
        self.assertEqual(code, 5)
        self.assertEqual(report['failure']['promise'], 'canary')

    def check_shrunk(self, scenario, *words, program=None):
        """The failure is shrunk, and what is printed replays it."""
        code, report = sim_json(scenario, *words, program=program)
        self.assertEqual(code, 5, report)
        failure = report['failure']
        self.assertGreater(failure['shrink_taken'], 0)
        self.assertEqual(failure['set']['swarm'] if 'swarm' in failure['set'] else 'no', 'no')
        again = replay(failure['replay'])
        self.assertEqual(again.returncode, 5, failure['replay'] + again.stdout + again.stderr)
        title = f'BROKEN: {scenario}, seed {failure["replay_seed"]}: {failure["promise"]}'
        self.assertIn(title, again.stdout)
        self.assertNotIn('Shrinking', again.stdout)
        twice = replay(failure['replay'])
        self.assertTrue(transcript_of(again) == transcript_of(twice))
        return failure, again.stdout

    def test_shrinking_a_canary(self):
        failure, text = self.check_shrunk('canary-bank', '--set', 'expect=holds')
        self.assertEqual(failure['promise'], 'total')
        self.assertLess(int(failure['set']['operations']), 60)
        self.assertLessEqual(int(failure['set'].get('clients', '6')), 3)
        self.assertIn('client 0', text)

    def test_shrinking_leaves_faults_out(self):
        failure, text = self.check_shrunk('everything', '--set', 'fault.power-cut=every 2s..8s', '--mutant',
                                          'log_skip_sync', program=INSTRUMENTED)
        self.assertIn('--mutant log_skip_sync', failure['replay'])
        self.assertLessEqual(sum(' begins' in line for line in text.splitlines()), 3)
        self.assertLessEqual(int(failure['set'].get('clients', '8')), 4)

    def test_without_shrinking_the_seed_replays(self):
        code, report = sim_json('canary-bank', '--set', 'expect=holds', '--no-shrink')
        self.assertEqual(code, 5)
        failure = report['failure']
        self.assertEqual(failure['shrink_tried'], 0)
        self.assertEqual(failure['seed'], failure['replay_seed'])
        self.assertEqual(replay(failure['replay']).returncode, 5)

    def test_history_and_picture(self):
        folder = tempfile.mkdtemp(prefix='pactfs-sim-')
        self.addCleanup(shutil.rmtree, folder)
        history, picture = os.path.join(folder, 'run.jsonl'), os.path.join(folder, 'run.svg')
        said = sim('canary-lists', '--set', 'expect=holds', '--history', history, '--svg', picture)
        self.assertEqual(said.returncode, 5)
        self.assertIn(history, said.stdout)
        self.assertTrue(xml.etree.ElementTree.parse(picture).getroot().tag.endswith('svg'))
        checked = subprocess.run([PACTFS, 'check', history], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 timeout=TIMEOUT)
        self.assertEqual(checked.returncode, 5, checked.stdout + checked.stderr)
        self.assertIn('strict-serialisable', checked.stdout)

    def test_history_of_a_good_run(self):
        folder = tempfile.mkdtemp(prefix='pactfs-sim-')
        self.addCleanup(shutil.rmtree, folder)
        history = os.path.join(folder, 'run.jsonl')
        self.assertEqual(sim('memory-lists', '--seed', '3', '--history', history).returncode, 0)
        checked = subprocess.run([PACTFS, 'check', history], stdout=subprocess.PIPE, timeout=TIMEOUT)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        said = sim('memory-lists', '--seed', '3', '--history', os.path.join(folder, 'no', 'run.jsonl'))
        self.assertEqual(said.returncode, 1)
        self.assertIn('cannot be written', said.stderr)

    def test_transcript(self):
        said = sim('power-cuts', '--seed', '5', '--transcript')
        self.assertEqual(said.returncode, 0)
        self.assertTrue(any('client 0' in line for line in transcript_of(said)))
        self.assertTrue(any('the faults end' in line for line in transcript_of(said)))
        self.assertTrue(transcript_of(said) == transcript_of(sim('power-cuts', '--seed', '5', '--transcript')))


class Sameness(unittest.TestCase):
    def test_any_number_of_processes(self):
        words = ['power-cuts', 'abd', 'canary-bank', '--seeds', '11-40', '--trace']
        traces = []
        for jobs in ('1', '2', '5'):
            code, report = sim_json(*words, '--jobs', jobs)
            self.assertEqual(code, 0)
            traces.append([(row['trace'], row['seeds'], row['transactions']) for row in report['scenarios']])
        self.assertEqual(traces[0], traces[1])
        self.assertEqual(traces[0], traces[2])

    def test_other_seeds_are_other_runs(self):
        traces = {sim_json('power-cuts', '--seed', str(seed))[1]['scenarios'][0]['trace'] for seed in range(1, 6)}
        self.assertEqual(len(traces), 5)

    def test_a_set_holds_in_a_swarm(self):
        for seed in ('1', '2', '3', '4'):  # without it few of them have all clients
            lines = transcript_of(sim('power-cuts', '--seed', seed, '--transcript', '--set', 'clients=9',
                                      '--set', 'length=5s', '--set', 'fault.power-cut=off'))
            self.assertTrue(any('client 8' in line for line in lines))
            self.assertFalse(any('power-cut' in line for line in lines))


class Processes(unittest.TestCase):
    def begin(self, *words, program=None):
        child = subprocess.Popen([program or PACTFS, *words], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)
        self.addCleanup(self.end, child)
        wait_for(lambda: len(children_of(child.pid)) >= 1)
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            child.kill()
            child.communicate()

    def test_a_child_that_dies_is_a_failure(self):
        child = self.begin(*LASTING, '--jobs', '1', '--no-shrink')
        os.kill(children_of(child.pid)[0], signal.SIGSEGV)
        out, _ = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 5, out)
        self.assertIn('abd, seed ', out)
        self.assertIn('Segmentation fault', out)

    def test_a_child_that_hangs_is_a_failure(self):
        child = self.begin(*LASTING, '--jobs', '1', '--no-shrink', '--patience', '1')
        worker = children_of(child.pid)[0]
        os.kill(worker, signal.SIGSTOP)
        out, _ = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 5, out)
        self.assertIn('did not end within 1 s', out)
        self.assertFalse(os.path.exists(f'/proc/{worker}'))

    def test_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            child = self.begin(*LASTING)
            workers = children_of(child.pid)
            child.send_signal(number)
            out, err = child.communicate(timeout=TIMEOUT)
            self.assertEqual(child.returncode, 1)
            self.assertIn('interrupted', err)
            self.assertIn('abd', out)
            self.assertEqual([pid for pid in workers if os.path.exists(f'/proc/{pid}')], [])

    def test_children_end_with_the_parent(self):
        child = self.begin(*LASTING, '--jobs', '2')
        wait_for(lambda: len(children_of(child.pid)) == 2)
        workers = children_of(child.pid)
        child.kill()
        child.communicate()
        # A killed orphan is there until somebody waits for it; it runs no more.
        wait_for(lambda: all(gone(pid) for pid in workers))


def gone(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
            return file.read().rsplit(') ', 1)[1][0] in 'ZX'
    except OSError:
        return True


def main():
    global PACTFS, INSTRUMENTED
    PACTFS, INSTRUMENTED = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)


if __name__ == '__main__':
    main()
