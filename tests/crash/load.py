# SPDX-License-Identifier: MIT
"""The load of kill9.py, and what must be true of it after a crash.

A worker owns a folder and works in it alone. Before each step it writes to its journal, outside the volume, what it
is about to do ("start"), and once a call has made that durable, that it did ("ack"). So after a crash the journal
says what must be there and what may be there:

  L1  Nothing acknowledged is missing, and nothing is there that was not started.
  L2  No step is half done: a name that moves is in one place, two that are exchanged are both there, a file
      that is replaced by rename is one whole version.
  L3  Names made one after another are there up to some point and not beyond it: the volume is a prefix.
  L4  A page of a file holds one whole write of that page, not older than the last acknowledged one.
"""
import ctypes
import errno
import hashlib
import json
import os
import random
import struct

PAGE = 4096
BLOB_PAGES = 256
KEYS = 8
RECORD = 100
GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ECONNREFUSED, errno.EINTR, errno.ENODEV)
AT_FDCWD = -100
RENAME_EXCHANGE = 2
libc = ctypes.CDLL(None, use_errno=True)


def content(tag, seq):
    """Bytes that say which version they are and that they are whole."""
    pattern = hashlib.blake2b(f'{tag}/{seq}'.encode()).digest()
    body = pattern * (1 + seq * 7919 % 600)
    head = struct.pack('<QQ', seq, len(body))
    return head + body + hashlib.blake2b(head + body, digest_size=16).digest()


def version_of(tag, data):
    """The seq of whole content, None when the bytes are not one whole version."""
    if len(data) < 16:
        return None
    seq = struct.unpack_from('<Q', data)[0]
    return seq if seq < 1 << 32 and data == content(tag, seq) else None


def page(seq):
    return struct.pack('<Q', seq) * (PAGE // 8)


def record(seq):
    return f'{seq:09}'.encode().ljust(RECORD - 1, b'.') + b'\n'


def exchange(a, b):
    if libc.renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')


def put(path, data, flags=0):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | flags, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]
        os.fsync(fd)
    finally:
        os.close(fd)


def get(path):
    with open(path, 'rb') as file:
        return file.read()


class Worker:
    def __init__(self, folder, journal, seed):
        self.folder, self.chance = folder, random.Random(seed)
        self.journal = os.open(journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        self.seq = 0
        self.made = 0       # names of the sequence made so far
        self.files = {}     # durable files that are there: name -> seq
        self.records = 0

    def note(self, word, **fact):
        os.write(self.journal, (json.dumps([word, fact]) + '\n').encode())

    def path(self, name):
        return os.path.join(self.folder, name)

    def sync_folder(self, name='.'):
        fd = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def prepare(self):
        os.mkdir(self.folder)
        for name in ('a', 'b'):
            os.mkdir(self.path(name))
        put(self.path('a/moving'), content('moving', 1))
        put(self.path('left'), content('pair', 1))
        put(self.path('right'), content('pair', 2))
        put(self.path('blob'), page(0) * BLOB_PAGES)
        put(self.path('log'), b'')
        for key in range(KEYS):
            put(self.path(f'key{key}'), content(f'key{key}', 0))
        self.sync_folder('a')
        self.sync_folder()
        self.blob = os.open(self.path('blob'), os.O_RDWR)
        self.log = os.open(self.path('log'), os.O_WRONLY | os.O_APPEND | os.O_SYNC)
        self.note('ready')

    def replace(self):
        key = f'key{self.chance.randrange(KEYS)}'
        self.note('start', what='key', key=key, seq=self.seq)
        put(self.path('tmp'), content(key, self.seq))
        os.rename(self.path('tmp'), self.path(key))
        if self.chance.random() < 0.5:
            self.sync_folder()
            self.note('ack', what='key', key=key, seq=self.seq)

    def append(self):
        for _ in range(self.chance.randrange(1, 30)):
            self.note('start', what='log', count=self.records + 1)
            os.write(self.log, record(self.records))
            self.records += 1
            self.note('ack', what='log', count=self.records)

    def overwrite(self):
        pages = {}
        for _ in range(self.chance.randrange(1, 20)):
            first = self.chance.randrange(BLOB_PAGES)
            count = self.chance.randrange(1, min(40, BLOB_PAGES - first) + 1)
            self.seq += 1
            self.note('start', what='blob', first=first, count=count, seq=self.seq)
            os.pwrite(self.blob, page(self.seq) * count, first * PAGE)
            pages.update((str(p), self.seq) for p in range(first, first + count))
        if self.chance.random() < 0.7:
            os.fdatasync(self.blob)
            self.note('ack', what='blob', pages=pages)

    def create(self):
        name = f'file{self.seq}'
        self.note('start', what='file', name=name, seq=self.seq)
        put(self.path(name), content('file', self.seq))
        self.sync_folder()
        self.note('ack', what='file', name=name, seq=self.seq)
        self.files[name] = self.seq

    def remove(self):
        if not self.files:
            return
        name = self.chance.choice(sorted(self.files))
        del self.files[name]
        self.note('start', what='gone', name=name)
        os.unlink(self.path(name))
        self.sync_folder()
        self.note('ack', what='gone', name=name)

    def sequence(self):
        for _ in range(self.chance.randrange(1, 12)):
            self.made += 1
            self.note('start', what='sequence', count=self.made)
            way = self.made % 4
            name = self.path(f's{self.made:06}')
            if way == 0:
                os.mkdir(name)
            elif way == 1:
                os.symlink('x', name)
            elif way == 2:
                os.link(self.path('left'), name)
            else:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if self.chance.random() < 0.5:
            self.sync_folder()
            self.note('ack', what='sequence', count=self.made)

    def move(self):
        for _ in range(self.chance.randrange(1, 10)):
            here, there = ('a', 'b') if os.path.exists(self.path('a/moving')) else ('b', 'a')
            os.rename(self.path(f'{here}/moving'), self.path(f'{there}/moving'))
            exchange(self.path('left'), self.path('right'))

    def step(self):
        self.seq += 1
        weights = ((self.replace, 3), (self.append, 2), (self.overwrite, 3), (self.create, 3), (self.remove, 2),
                   (self.sequence, 3), (self.move, 2))
        self.chance.choices([w[0] for w in weights], [w[1] for w in weights])[0]()

    def run(self):
        """Works until the volume is gone. True when that is how it ended."""
        try:
            self.prepare()
            while True:
                self.step()
        except OSError as problem:
            if problem.errno in GONE:
                return True
            print(f'{self.folder}: {problem}', flush=True)
            return False


class Facts:
    """What a journal says."""

    def __init__(self, journal):
        self.ready = False
        self.started_keys, self.acked_keys = {}, {}
        self.files, self.maybe, self.gone, self.going = {}, {}, set(), set()
        self.log_started = self.log_acked = self.sequence_started = self.sequence_acked = 0
        self.page_acked = [0] * BLOB_PAGES
        self.page_started = [{0} for _ in range(BLOB_PAGES)]
        with open(journal, encoding='ascii') as lines:
            for line in lines:
                word, fact = json.loads(line)
                getattr(self, word)(**fact) if fact else setattr(self, 'ready', True)

    def start(self, what, **f):
        if what == 'key':
            self.started_keys.setdefault(f['key'], {0}).add(f['seq'])
        elif what == 'log':
            self.log_started = f['count']
        elif what == 'blob':
            for p in range(f['first'], f['first'] + f['count']):
                self.page_started[p].add(f['seq'])
        elif what == 'file':
            self.maybe[f['name']] = f['seq']
        elif what == 'gone':
            self.going.add(f['name'])
        elif what == 'sequence':
            self.sequence_started = f['count']

    def ack(self, what, **f):
        if what == 'key':
            self.acked_keys[f['key']] = f['seq']
        elif what == 'log':
            self.log_acked = f['count']
        elif what == 'blob':
            for p, seq in f['pages'].items():
                self.page_acked[int(p)] = seq
        elif what == 'file':
            self.files[f['name']] = f['seq']
        elif what == 'gone':
            self.gone.add(f['name'])
        elif what == 'sequence':
            self.sequence_acked = f['count']


def check_keys(folder, facts, found):
    for key in (f'key{k}' for k in range(KEYS)):
        seq = version_of(key, get(os.path.join(folder, key)))
        acked = facts.acked_keys.get(key, 0)
        if seq is None:
            yield f'{key} is not one whole version'
        elif seq < acked:
            yield f'{key} is version {seq}, but {acked} was acknowledged'
        elif seq not in facts.started_keys.get(key, {0}):
            yield f'{key} is version {seq}, which was never written'
        found.discard(key)


def check_log(folder, facts, found):
    data = get(os.path.join(folder, 'log'))
    whole = b''.join(record(i) for i in range(facts.log_started))
    acked = facts.log_acked * RECORD
    if len(data) < acked:
        yield f'log has {len(data)} bytes, but {acked} were acknowledged'
    if len(data) > len(whole):
        yield f'log has {len(data)} bytes, but only {len(whole)} were written'
    if data[:acked] != whole[:acked]:
        yield 'log: acknowledged records differ'
    if any(a not in (b, 0) for a, b in zip(data[acked:], whole[acked:])):
        yield 'log: bytes that were never written'
    found.discard('log')


def check_blob(folder, facts, found):
    data = get(os.path.join(folder, 'blob'))
    if len(data) != BLOB_PAGES * PAGE:
        yield f'blob has {len(data)} bytes'
        return
    for p in range(BLOB_PAGES):
        bytes_ = data[p * PAGE:(p + 1) * PAGE]
        seq = struct.unpack_from('<Q', bytes_)[0]
        if bytes_ != page(seq):
            yield f'blob: page {p} is torn'
        elif seq < facts.page_acked[p]:
            yield f'blob: page {p} is of write {seq}, but {facts.page_acked[p]} was acknowledged'
        elif seq not in facts.page_started[p]:
            yield f'blob: page {p} is of write {seq}, which was never made'
    found.discard('blob')


def check_files(folder, facts, found):
    for name, seq in facts.maybe.items():
        there = name in found
        if name in facts.gone and there:
            yield f'{name} is there, but its removal was acknowledged'
        if name in facts.files and name not in facts.going and not there:
            yield f'{name} is missing, but was acknowledged'
        if there and name in facts.files and version_of('file', get(os.path.join(folder, name))) != seq:
            yield f'{name} does not hold what was acknowledged'
        found.discard(name)


def check_sequence(folder, facts, found):
    names = sorted(n for n in found if n.startswith('s'))
    if names != [f's{i + 1:06}' for i in range(len(names))]:
        yield f'the names made one after another have gaps: {len(names)} up to {names[-1]}'
    if len(names) < facts.sequence_acked:
        yield f'{len(names)} names of the sequence, but {facts.sequence_acked} were acknowledged'
    if len(names) > facts.sequence_started:
        yield f'{len(names)} names of the sequence, but only {facts.sequence_started} were made'
    found.difference_update(names)


def check_moves(folder, facts, found):
    places = [p for p in ('a', 'b') if os.path.exists(os.path.join(folder, p, 'moving'))]
    if len(places) != 1:
        yield f'the file that moves is in {len(places)} places'
    elif version_of('moving', get(os.path.join(folder, places[0], 'moving'))) != 1:
        yield 'the file that moves has changed'
    if sum(len(os.listdir(os.path.join(folder, p))) for p in ('a', 'b')) > 1:
        yield 'the folders it moves between hold something else'
    pair = sorted(str(version_of('pair', get(os.path.join(folder, n)))) for n in ('left', 'right'))
    if pair != ['1', '2']:
        yield f'the exchanged files hold versions {pair}'
    found.difference_update({'a', 'b', 'left', 'right'})


def verify(folder, journal):
    """The sentences that say what is wrong; empty when nothing is."""
    facts = Facts(journal)
    if not facts.ready:
        return []  # it had not begun: nothing was promised
    problems = []
    found = set(os.listdir(folder))
    for check in (check_keys, check_log, check_blob, check_files, check_sequence, check_moves):
        try:
            problems += check(folder, facts, found)
        except OSError as problem:
            problems.append(str(problem))
    problems += [f'{name}: where does this come from?' for name in found - {'tmp'}]
    return problems


def fingerprint(folder):
    """One hash over names, kinds, modes, link counts, sizes and contents of a tree."""
    total = hashlib.blake2b()
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(folders + files):
            full = os.path.join(path, name)
            st = os.lstat(full)
            total.update(f'{full} {st.st_mode} {st.st_nlink} {st.st_mtime_ns}'.encode())
            if os.path.islink(full):
                total.update(os.readlink(full).encode())
            elif not os.path.isdir(full):
                total.update(str(st.st_size).encode() + get(full))
    return total.hexdigest()
