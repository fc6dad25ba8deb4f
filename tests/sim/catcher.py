# SPDX-License-Identifier: MIT
"""Programs that try seeds, in one form: `pactfs-instrumented sim` over scenarios, and `cut_instrumented`.

A catcher runs seeds FIRST to LAST, with one mutant switched on or none, and says what failed first:
a Failure, or None. It raises Trouble when the program did something else than to pass or to fail.
"""
import json
import os
import re
import subprocess


class Trouble(Exception):
    pass


class Failure:
    def __init__(self, seed, where, promise, text):
        self.seed, self.where, self.promise, self.text = seed, where, promise, text


class Catcher:
    """Subclasses fill in command() and judge(). The counts of marks seen so far are in self.marks."""
    name = ''

    def __init__(self, program, timeout):
        self.program, self.timeout, self.marks = program, timeout, {}

    def run(self, first, last, mutant=None, marks=False):
        command = self.command(first, last) + (['--mutant', mutant] if mutant else [])
        code, out, err = execute(command + (['--marks'] if marks else []), self.timeout)
        failure = self.judge(code, out, err, first, last, mutant)
        if marks and failure is None:
            for name, count in self.counts(out).items():
                self.marks[name] = self.marks.get(name, 0) + count
        return failure

    def table(self, option):
        """The rows of --list-mutants or --list-marks: {name: text}."""
        code, out, err = execute(self.command(1, 1) + [option], self.timeout)
        if code != 0:
            raise Trouble(f'{self.program} {option} ended with {code}: {last_line(err)}')
        return {row['name']: row['text'] for row in json.loads(out)}

    def aborted(self, err, first, last, mutant):
        """The program ended without saying with which seed: halves the range until it is one seed."""
        while first < last:
            middle = (first + last) // 2
            code, _, more = execute(self.command(first, middle) + (['--mutant', mutant] if mutant else []),
                                    self.timeout)
            if code == 0:
                first = middle + 1
            else:
                last, err = middle, more
        return Failure(first, '', 'invariant', last_line(err))


PATIENCE = 10  # seconds of real time for one seed; a checker may search for long when a promise is broken


class Sim(Catcher):
    """exit 0: all seeds clean; 5: a promise was broken. --json: one object."""
    name = 'sim'

    def __init__(self, program, scenarios, timeout=600, jobs=1):
        super().__init__(program, timeout)
        self.scenarios, self.jobs = scenarios, jobs

    def command(self, first, last):
        return [self.program, 'sim', *self.scenarios, '--seeds', f'{first}-{last}', '--jobs', str(self.jobs),
                '--json', '--no-shrink', '--patience', str(PATIENCE)]

    def judge(self, code, out, err, first, last, mutant):
        if code in (-6, 134):
            return self.aborted(err, first, last, mutant)
        if code not in (0, 5):
            raise Trouble(f'sim ended with {code}: {last_line(err)}')
        failure = parse_object(out).get('failure')
        if (failure is not None) != (code == 5):
            raise Trouble(f'sim ended with {code}, but its report says otherwise')
        if failure is None:
            return None
        scenario = os.path.basename(failure['scenario']).removesuffix('.scn')
        return Failure(failure['seed'], scenario, failure['promise'], first_line(failure['text']))

    @staticmethod
    def counts(out):
        return parse_object(out)['marks']


class Primary(Sim):
    """The same program over the scenarios of a replicated volume."""
    name = 'primary'


class Cut(Catcher):
    """exit 1: "FAILED in volume SEED...: what" on stderr."""
    name = 'cut'
    PROMISES = (  # what its sentences stand for: the laws in cut_world.h
        ('only the first', 'P2 durability'), ('no prefix', 'P1 prefix'), ('structural check', 'P4 structure'),
        ('cannot be opened', 'P5 start'), ('cannot be read', 'P5 reading'), ('made again', 'P5 rebuild'),
        ('aborted', 'invariant'), ('differs', 'P1 prefix'), ('', 'P6 use'))

    def __init__(self, program, timeout=600):
        super().__init__(program, timeout)

    def command(self, first, last):
        return [self.program, '--seed', str(first), '--volumes', str(last - first + 1), '--points', str(1 << 60)]

    def judge(self, code, out, err, first, last, mutant):
        if code == 0:
            return None
        found = re.search(r'FAILED in volume (\d+)[^:]*: (.*)', err)
        if code != 1 or not found:
            raise Trouble(f'cut ended with {code}: {last_line(err)}')
        text = found.group(2)
        promise = next(promise for part, promise in self.PROMISES if part in text)
        return Failure(int(found.group(1)), '', promise, first_line(err) if promise == 'invariant' else text)

    @staticmethod
    def counts(out):
        return json.loads(out[out.index('{'):])


class Replica(Cut):
    """The same main program over other laws: those in replica_cut.c."""
    name = 'replica'
    PROMISES = (
        ('only the first', 'Q1 durability'), ('no prefix', 'Q1 prefix'), ('a tail', 'Q2 tail'),
        ('cannot be opened', 'Q1 start'), ('cannot be read', 'Q1 reading'), ('differs from the other', 'Q4 equality'),
        ('catch up', 'Q4 equality'), ('aborted', 'invariant'), ('', 'Q1 use'))


class Manager(Catcher):
    """Schedules by hand, the same for every seed: exit code 0, or how many of them failed."""
    name = 'manager'

    def __init__(self, program, timeout=120):
        super().__init__(program, timeout)

    def command(self, first, last):
        return [self.program]

    def judge(self, code, out, err, first, last, mutant):
        if code == 0:
            return None
        if code in (-6, 134):
            return Failure(1, '', 'invariant', last_line(err))
        found = re.findall(r'^\[  FAILED  \] (\w+)$', out + err, re.M)
        if not found:
            raise Trouble(f'{os.path.basename(self.program)} ended with {code}: {last_line(err)}')
        return Failure(1, '', 'law', ', '.join(sorted(set(found))))


def execute(command, timeout):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              errors='replace', text=True)
    except subprocess.TimeoutExpired:
        raise Trouble(f'{os.path.basename(command[0])} did not end within {timeout} s') from None
    except OSError as error:
        raise Trouble(f'{command[0]} cannot be run: {error}') from None
    return done.returncode, done.stdout, done.stderr


def parse_object(out):
    try:
        return json.loads(out)
    except ValueError:
        raise Trouble(f'no JSON was printed, but: {last_line(out)}') from None


def first_line(text):
    return text.strip().split('\n')[0]


def last_line(text):
    return text.strip().split('\n')[-1]


def catchers_of(options):
    """From the command line: --sim PROGRAM with --scenarios, --cut PROGRAM, --replica PROGRAM; in this order."""
    found = []
    if options.sim:
        found.append(Sim(options.sim, options.scenarios))
    if options.primary:
        found.append(Primary(options.primary, options.scenarios))
    if getattr(options, 'manager', None):
        found.append(Manager(options.manager))
    if options.cut:
        found.append(Cut(options.cut))
    if options.replica:
        found.append(Replica(options.replica))
    return found
