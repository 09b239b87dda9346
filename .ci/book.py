"""Walks the book: README.md, then every page of docs/ in the order of docs/SUMMARY.md.

    python3 .ci/book.py check              links, anchors, marks; runs nothing
    python3 .ci/book.py run [PAGE ...]     the same, then every command of the pages (all of them if none is named)

A block marked `sh` is run: those of a page in one shell, from the repository's root, pages one after the other, so that a
later page finds what an earlier one left in target/. A block marked `console` is not run, and has to say why on the line
before it: `<!-- not run: it names files of the reader's -->`. A `text` block with `<!-- printed -->` on the line before it
shows what the page's commands print: its lines must occur in that order in what they printed, spaces aside; a line of `…`
stands for lines that are left out. With `<!-- printed, numbers within .05 -->` numbers may differ by so much, for results of
training, which other processors round otherwise.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FENCE = re.compile(r"^(?P<before>[^\n]*)\n```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
PRINTED = re.compile(r"<!-- printed(?:, numbers within (\d*\.\d+))? -->")
NUMBER = re.compile(r"\d[\d,]*\.?\d*|\.\d+")


def blocks(page):
    """The fenced blocks of a page: the line before, the kind, the body."""
    text = "\n" + page.read_text()
    return [(found["before"].strip(), found["kind"].strip(), found["body"]) for found in FENCE.finditer(text)]


def pages():
    """The README and the pages that SUMMARY.md lists, in its order."""
    listed = re.findall(r"\]\(([^)#]+\.md)\)", (DOCS / "SUMMARY.md").read_text())
    return [ROOT / "README.md"] + [DOCS / name for name in listed]


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(page):
    """The names of a page's headings, as mdBook and GitHub make them."""
    found = set()
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (name if number == 0 else f"{name}-{number}") in found:
            number += 1
        found.add(name if number == 0 else f"{name}-{number}")
    return found


def mistakes():
    """What is wrong with the book as it is written."""
    wrong = []
    in_book = pages()
    for page in sorted(DOCS.glob("*.md")):
        if page.name != "SUMMARY.md" and page not in in_book:
            wrong.append(f"docs/{page.name} is not in docs/SUMMARY.md")
    for page in in_book + [DOCS / "SUMMARY.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        name = page.relative_to(ROOT)
        if not page.exists():
            wrong.append(f"docs/SUMMARY.md lists {name}, which does not exist")
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                wrong.append(f"{name}: {link} leads nowhere")
            elif anchor and anchor not in anchors(target):
                wrong.append(f"{name}: {link} names no heading of {path or name}")
            elif page in in_book[1:] and DOCS not in target.parents:
                wrong.append(f"{name}: {link} leads out of the book; name the file in backquotes, or link to its address")
        if page.name in ("SUMMARY.md", "CHANGELOG.md", "CONTRIBUTING.md"):
            continue
        for before, kind, body in blocks(page):
            first = body.splitlines()[0] if body else ""
            if kind == "console" and not NOT_RUN.fullmatch(before):
                wrong.append(f"{name}: the block of {first!r} is neither run (`sh`) nor marked with why it is not")
            if kind in ("bash", "shell"):
                wrong.append(f"{name}: the block of {first!r} is {kind}: use `sh` (run) or `console` (not run)")
    return wrong


def same_line(expected, printed, within):
    squeeze = lambda line: " ".join(line.replace("─", "").split())
    expected, printed = squeeze(expected), squeeze(printed)
    if within is None:
        return expected == printed
    numbers = [[float(number.replace(",", "")) for number in NUMBER.findall(line)] for line in (expected, printed)]
    if NUMBER.sub("0", expected) != NUMBER.sub("0", printed) or len(numbers[0]) != len(numbers[1]):
        return False
    return all(abs(one - other) <= within for one, other in zip(*numbers))


def not_printed(body, output, within):
    """The first line of a block that was not printed after those before it; None if all were."""
    left = iter(output)
    for line in body.splitlines():
        if line.strip(" ─") in ("", "…"):
            continue
        if not any(same_line(line, printed, within) for printed in left):
            return line
    return None


def run(page):
    """Runs a page's commands; the seconds that took, and what is wrong."""
    name = page.relative_to(ROOT)
    page_blocks = blocks(page)
    script = "".join(body for _, kind, body in page_blocks if kind == "sh")
    if not script:
        return None
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    process = subprocess.Popen(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = []
    for line in process.stdout:
        line = line.decode(errors="replace")
        print(line, end="", flush=True)
        output.append(line.rstrip("\n"))
    wrong = [f"{name}: a command failed ({process.returncode})"] if process.wait() else []
    for before, kind, body in page_blocks:
        printed = PRINTED.fullmatch(before)
        if kind == "text" and printed and not wrong:
            missing = not_printed(body, output, float(printed[1]) if printed[1] else None)
            if missing is not None:
                wrong.append(f"{name}: shown as printed, but was not: {missing.strip()}")
    return time.monotonic() - began, wrong


def main(what, names):
    wrong = mistakes()
    if wrong:
        sys.exit("\n".join(wrong))
    walked = [ROOT / name for name in names] or pages()
    for page in walked:
        for before, kind, body in blocks(page):
            if kind == "console":
                reason = NOT_RUN.fullmatch(before)[1]
                print(f"not run: {page.relative_to(ROOT)}: {body.splitlines()[0]} ({reason})")
    if what != "run":
        return
    # Folders of an earlier run, of a version that kept no list of what it wrote, would be refused.
    for folder in (ROOT / "target").glob("*"):
        if (folder / "report.html").exists() or (folder / "labeler.jsonl").exists():
            if not (folder / ".labelmix-files").exists():
                shutil.rmtree(folder)
    times = []
    for page in walked:
        ran = run(page)
        if ran is not None:
            seconds, mistakes_of_page = ran
            times.append((page.relative_to(ROOT), seconds))
            if mistakes_of_page:
                sys.exit("\n" + "\n".join(mistakes_of_page))
    print("\nseconds  page")
    for name, seconds in times:
        print(f"{seconds:7.0f}  {name}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("check", "run"):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
