#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of verdicts: well-formed, without scripts, and everything inside: draw_test.py PROGRAM.

A column of text counts as 8 pixels of 13, as in draw.h, so that any usual font fits.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

SVG = '{http://www.w3.org/2000/svg}'
COLUMN = {'head': 12, 'small': 7}


def columns(text):
    return sum(1 if ord(letter) < 0x1100 else 2 for letter in text)


def extent(element):
    """Left, top, right, bottom of what is drawn; None for what is not."""
    tag = element.tag.removeprefix(SVG)
    number = lambda name: int(element.get(name))
    if tag == 'rect':
        return number('x'), number('y'), number('x') + number('width'), number('y') + number('height')
    if tag == 'circle':
        return number('cx') - 11, number('cy') - 11, number('cx') + 11, number('cy') + 11
    if tag == 'line':
        xs, ys = sorted((number('x1'), number('x2'))), sorted((number('y1'), number('y2')))
        return xs[0], ys[0], xs[1], ys[1]
    if tag == 'text':
        kind = element.get('class')
        width = columns(element.text or '') * COLUMN.get(kind, 8)
        left = number('x') - (width // 2 if kind in ('middle', 'number', 'mark') else 0)
        return left, number('y') - 13, left + width, number('y') + 4
    return None


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


class Draw(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix='pactfs-draw-')
        subprocess.run([PROGRAM, cls.folder.name, '400'], check=True)
        cls.pictures = {}
        for name in sorted(os.listdir(cls.folder.name)):
            cls.pictures[name] = xml.parse(os.path.join(cls.folder.name, name)).getroot()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_all_are_there(self):
        self.assertEqual(len(self.pictures), 403)

    def test_no_scripts(self):
        allowed = {SVG + tag for tag in ('svg', 'title', 'style', 'defs', 'marker', 'path', 'rect', 'circle', 'line', 'text')}
        for name, picture in self.pictures.items():
            self.assertLessEqual({e.tag for e in picture.iter()}, allowed, name)
            for element in picture.iter():
                for key, value in element.attrib.items():
                    self.assertFalse(key.startswith('on') or 'href' in key, name)
                    self.assertNotIn('://', value)

    def test_everything_is_inside(self):
        for name, picture in self.pictures.items():
            width, height = int(picture.get('width')), int(picture.get('height'))
            for element in picture.iter():
                box = extent(element)
                if box:
                    self.assertTrue(box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height,
                                    f'{name}: {box} of {element.text!r} is not within {width} x {height}')

    def test_curves_are_inside(self):
        for name, picture in self.pictures.items():
            width, height = int(picture.get('width')), int(picture.get('height'))
            for path in picture.iter(SVG + 'path'):
                points = re.findall(r'M (-?\d+) (-?\d+) Q (-?\d+) (-?\d+) (-?\d+) (-?\d+)', path.get('d'))
                for x0, y0, cx, cy, x1, y1 in (map(int, p) for p in points):
                    for t in (0, .25, .5, .75, 1):
                        x = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * cx + t * t * x1
                        y = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * cy + t * t * y1
                        self.assertTrue(0 <= x <= width and 0 <= y <= height, f'{name}: {path.get("d")}')

    def test_texts_are_apart(self):
        """No two texts of a class that stands in boxes or in the prose cover each other."""
        for name, picture in self.pictures.items():
            boxes = [(extent(e), e.text) for e in picture.iter(SVG + 'text') if e.get('class') in ('code', 'prose', 'head')]
            boxes.sort()
            for i, (box, text) in enumerate(boxes):
                for other, more in boxes[i + 1:]:
                    if other[0] >= box[2]:
                        break
                    lower = (box[0], box[1] + 3, box[2], box[3] - 3)
                    self.assertFalse(overlap(lower, other), f'{name}: {text!r} and {more!r}')

    def test_boxes_are_apart(self):
        for name, picture in self.pictures.items():
            boxes = [extent(e) for e in picture.iter(SVG + 'rect') if e.get('class') in ('write', 'read', 'failed', 'unknown')]
            for i, box in enumerate(boxes):
                for other in boxes[i + 1:]:
                    self.assertFalse(overlap(box, other), f'{name}: {box} and {other}')

    def test_says_what_is_broken(self):
        text = ' '.join(e.text or '' for e in self.pictures['stale.svg'].iter(SVG + 'text'))
        for word in ('linearisable is broken', 'stale read', 'write x 3', 'read x -> 3', '(no answer)', 'crash', 'ww x: 4'):
            self.assertIn(word, text)
        self.assertNotIn('\u2026', text)  # there is room for all of it


if __name__ == '__main__':
    PROGRAM = sys.argv.pop(1)
    unittest.main()
