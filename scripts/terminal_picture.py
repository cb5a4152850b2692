#!/usr/bin/env python3
"""Draws what a terminal showed as an SVG picture, for README.md.

usage: terminal_picture.py INPUT.txt OUTPUT.svg

INPUT is plain text; its first line is the command, the rest what it printed. Long lines are folded
as a terminal folds them. Rule ids and quoted values are coloured, nothing else is changed.
"""

import html
import re
import sys

COLUMNS = 104
CHARACTER, LINE, PADDING, BAR = 8.4, 21, 22, 34
STYLES = [
    (re.compile(r"^\$ .*"), "command"),
    (re.compile(r"^Error from server \(Forbidden\):"), "error"),
    (re.compile(r"^  [a-z]+(-[a-z]+)+(?=  )"), "rule"),
    (re.compile(r'"[^"]*"'), "value"),
    (re.compile(r"(Use|Set) .*$"), "fix"),
]
CSS = """
.bg{fill:#12161d}.bar{fill:#1d232d}text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#c8d0da;white-space:pre}
.command{fill:#f2f5f9;font-weight:bold}.error{fill:#ff7b72;font-weight:bold}.rule{fill:#e3b341;font-weight:bold}
.value{fill:#79c0ff}.fix{fill:#7ee787}.title{fill:#8b95a3;font-size:13px}
"""


def styled(line):
    """[(text, style)] of a line; the first style that claims a character keeps it."""
    owner = [""] * len(line)
    for pattern, style in STYLES:
        for match in pattern.finditer(line):
            for i in range(*match.span()):
                owner[i] = owner[i] or style
    pieces, start = [], 0
    for i in range(1, len(line) + 1):
        if i == len(line) or owner[i] != owner[start]:
            pieces.append((line[start:i], owner[start] if line else ""))
            start = i
    return pieces


def fold(pieces):
    """Folds the pieces of one line into rows of COLUMNS characters, at spaces where it can."""
    text = "".join(p for p, _ in pieces)
    styles = [s for p, s in pieces for _ in p]
    rows, start = [], 0
    while len(text) - start > COLUMNS:
        cut = text.rfind(" ", start + COLUMNS // 2, start + COLUMNS + 1)
        cut = cut if cut > start else start + COLUMNS
        rows.append((start, cut))
        start = cut + (text[cut : cut + 1] == " ")
    rows.append((start, len(text)))
    return [list(zip(text[a:b], styles[a:b])) for a, b in rows]


def spans(row):
    out, i = "", 0
    while i < len(row):
        j = i
        while j < len(row) and row[j][1] == row[i][1]:
            j += 1
        text = html.escape("".join(c for c, _ in row[i:j]), quote=False)
        out += f'<tspan class="{row[i][1]}">{text}</tspan>' if row[i][1] else f"<tspan>{text}</tspan>"
        i = j
    return out


def picture(text):
    rows = [row for line in text.rstrip("\n").split("\n") for row in fold(styled(line))]
    width = round(COLUMNS * CHARACTER + 2 * PADDING)
    height = round(len(rows) * LINE + 2 * PADDING + BAR)
    body = "".join(
        f'<text x="{PADDING}" y="{BAR + PADDING + 14 + i * LINE}" xml:space="preserve">{spans(row)}</text>\n'
        for i, row in enumerate(rows)
    )
    dots = "".join(
        f'<circle cx="{20 + 20 * i}" cy="17" r="6" fill="{c}"/>' for i, c in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="a terminal">\n<style>{CSS}</style>\n'
        f'<rect class="bg" width="{width}" height="{height}" rx="10"/>'
        f'<path class="bar" d="M0 10a10 10 0 0 1 10-10h{width - 20}a10 10 0 0 1 10 10v24H0z"/>{dots}\n{body}</svg>\n'
    )


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        drawn = picture(file.read())
    with open(target, "w", encoding="utf-8") as file:
        file.write(drawn)


if __name__ == "__main__":
    main()
