#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every fault of trial.py once: no error, nothing lost, no read goes back, nothing hangs, and programs go on in time.

PACTFS_SOAK=1: ten times. bench/failover.py measures.
"""
import os
import sys
import unittest

import machines as mm
import trial as trials

FIRST_S = 5  # of a fault or two on a machine that does other things as well; the goal is 3 s in 95 of 100


class Failover(unittest.TestCase):
    def test_every_fault(self):
        rounds = 10 if os.environ.get('PACTFS_SOAK') else 1
        with mm.Machines() as machines:
            cell = trials.Cell(machines)
            cell.begin()
            for number in range(rounds * len(trials.FAULTS)):
                one = trials.Trial(cell, trials.FAULTS[number % len(trials.FAULTS)], number, hold=1.5).run()
                print(f'{one.fault.name}, {one.workload}: {max(one.first):.2f} s, healthy after {one.healthy:.2f} s', flush=True)
                self.assertEqual(one.wrong, [], f'{one.fault.name}\n' + self.logs(cell))
                self.assertLess(max(one.first), FIRST_S, one.fault.name)
            wrong, told = cell.end()
            self.assertEqual(wrong, [])
            self.assertGreater(min(one['count'] for one in told), 50)
            self.assertGreater(min(one['reads'] for one in told), 50)

    @staticmethod
    def logs(cell):
        return ''.join(f'--- {node.name}\n{node.log()[-4000:]}' for node in cell.nodes)


class Notices(unittest.TestCase):
    """What load.py and its verification would say of a file system that loses something."""

    def told(self, **changes):
        return dict({'name': 'x', 'acknowledged': {'append': 2, 'replace': 2, 'mkdir': 2}}, **changes)

    def good(self, top):
        with open(f'{top}/x.lines', 'w', encoding='ascii') as file:
            file.write('0\n1\n2\n')
        with open(f'{top}/x.now', 'w', encoding='ascii') as file:
            file.write('2\n')
        for name in ('x.0', 'x.0/0', 'x.0/1', 'x.0/2'):
            os.makedirs(f'{top}/{name}')

    def test_losses(self):
        import tempfile
        with tempfile.TemporaryDirectory() as top:
            self.good(top)
            self.assertEqual(trials.verify_quietly(top, self.told()), [])
            for name, lines in (('append', '0\n1\n'), ('append', '0\n2\n'), ('append', '0\n1\n1\n2\n'), ('append', '0\n1\n2\n3\n4\n')):
                with open(f'{top}/x.lines', 'w', encoding='ascii') as file:
                    file.write(lines)
                self.assertIn(name, ''.join(trials.verify_quietly(top, self.told())), lines)
            os.unlink(f'{top}/x.lines')
            self.assertIn('verify', ''.join(trials.verify_quietly(top, self.told())))

    def test_losses_of_names(self):
        import tempfile
        with tempfile.TemporaryDirectory() as top:
            self.good(top)
            with open(f'{top}/x.now', 'w', encoding='ascii') as file:
                file.write('1\n')
            os.rmdir(f'{top}/x.0/1')
            self.assertEqual(len(trials.verify_quietly(top, self.told())), 3)


if __name__ == '__main__':
    reason = mm.why_not()
    if reason:
        print(reason)
        sys.exit(77)
    unittest.main(verbosity=1)
