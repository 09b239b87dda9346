"""The house: what imports what.

    python3 .ci/house.py        says what is wrong, and fails if something is

- A crate imports only crates of lower floors (docs/architecture.md has the map; the order is read from FLOORS here).
- Files of a crate do not import each other in a ring of more than three; a file of errors may name what it likes.
- What is public is used outside its crate: by another crate, a test, an example, a fuzz target or the book, or as part of
  what something so used says.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CRATES = ROOT / "crates"

# From the ground up. Crates of one line do not know each other.
FLOORS = [
    ["labelmix-files", "labelmix-http"],
    ["labelmix-stats", "labelmix-hub", "labelmix-nn"],
    ["labelmix-econ", "labelmix-models"],
    ["labelmix-data", "labelmix-methods"],
    ["labelmix-study", "labelmix-train"],
    ["labelmix-store", "labelmix-sandbox"],
    ["labelmix-report", "labelmix-engine", "labelmix-llm"],
    ["labelmix-sweep"],
    ["labelmix-serve"],
    ["labelmix"],
]
FOR_TESTS = {"labelmix-browser", "labelmix-loopback"}
LARGEST_RING = 3


def code(text):
    """A file without its comments and its module of tests, which is its last item."""
    text = re.split(r"^#\[cfg\(test\)\]\n(?:pub\(\w+\) )?mod \w+ \{", text, flags=re.MULTILINE)[0]
    return re.sub(r"^ *//.*$", "", text, flags=re.MULTILINE)


def upward():
    floor = {crate: height for height, crates in enumerate(FLOORS) for crate in crates}
    for crate, height in floor.items():
        manifest = (CRATES / crate / "Cargo.toml").read_text()
        known = re.split(r"^\[dev-dependencies\]", manifest, flags=re.MULTILINE)[0]
        for other in re.findall(r"^(labelmix[a-z-]*)\.workspace", known, re.MULTILINE):
            if floor[other] >= height:
                yield f"{crate} imports {other}, which is not below it"
    for crate in sorted(path.name for path in CRATES.iterdir()):
        if crate not in floor and crate not in FOR_TESTS:
            yield f"{crate} has no floor in {Path(__file__).name}"


def imports(source):
    """For each module of a crate, those of the others that it names."""
    files = {"::".join(path.relative_to(source).with_suffix("").parts): path for path in source.rglob("*.rs")}
    # The face gives items of other files: who takes one from there imports that file.
    face = {}
    for module, items in re.findall(r"^pub use ([a-z_0-9:]+)::(\{[^}]*\}|\w+);", files["lib"].read_text(), re.MULTILINE):
        face.update(dict.fromkeys(re.findall(r"\w+", items), module))
    graph = {}
    for module, path in files.items():
        named = set()
        text = code(path.read_text())
        for items in re.findall(r"\bcrate::(\{[^}]*\}|[A-Z]\w*)", text):
            named.update(face[item] for item in re.findall(r"\w+", items) if item in face)
        for start, steps in re.findall(r"\b(crate|super|self)((?:::[a-z_0-9]+)+)", text):
            base = {"crate": [], "self": module.split("::"), "super": module.split("::")[:-1]}[start]
            steps = base + steps.strip(":").split("::")
            while steps and "::".join(steps) not in files:
                steps.pop()
            named.add("::".join(steps))
        # A file of errors names what went wrong, wherever that is.
        graph[module] = set() if module.split("::")[-1] == "error" else named - {"", "lib", module}
    return graph


def rings(graph):
    """The strongly connected parts of a graph (Tarjan 1972)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            place = stack.index(node)
            found.append(stack[place:])
            del stack[place:]

    for node in graph:
        if node not in order:
            visit(node)
    return found


def large_rings():
    for crate in sorted(CRATES.iterdir()):
        for ring in rings(imports(crate / "src")):
            if len(ring) > LARGEST_RING:
                yield f"{crate.name}: {len(ring)} files import each other in a ring: {', '.join(sorted(ring))}"


def used_by_nobody():
    """Public items of a crate's face that no other place names, nor another item of the face."""
    book = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    texts = {path: path.read_text() for path in [*ROOT.glob("**/*.rs"), *book] if "target" not in path.parts}
    for crate in sorted(path for path in CRATES.iterdir() if (path / "src/lib.rs").exists()):
        face = texts[crate / "src/lib.rs"]
        names = set()
        for body in re.findall(r"^pub use [^;]+;", face, re.MULTILINE):
            names.update(re.findall(r"\b([A-Za-z_][A-Za-z_0-9]*)\b(?!::)(?=[,}; ]|$)", body.split("::", 1)[-1]))
        inside = [text for path, text in texts.items() if crate / "src" in path.parents]
        outside = " ".join(text for path, text in texts.items() if crate / "src" not in path.parents)
        used = {name for name in names if re.search(rf"\b{name}\b", outside)}
        said = " ".join(re.findall(r"^ *pub [^{;]*[{;]|^ +(?:pub )?\w+: [^\n]*,$|^ +\w+\([^\n]*\),$",
                                   "\n".join(map(code, inside)), re.MULTILINE))
        for name in sorted(names - used):
            if not re.search(rf"(?:[:<(&, \[]|-> ?){name}\b", re.sub(rf"pub (?:struct|enum|trait|type|fn|const) {name}\b", "", said)):
                yield f"{crate.name}: {name} is public, and nobody else uses it"


def undocumented():
    """Public items without a word: fields, variants and accessors whose names say everything may go without."""
    item = re.compile(r"^ *pub (?:const |async |unsafe )*(?:fn|struct|enum|trait|type|const|static) ")
    accessor = re.compile(r"^ *pub (?:const )?fn \w+\(&self\) -> [^{]*\{$")
    for path in sorted(CRATES.glob("*/src/**/*.rs")):
        if "tests" in path.parts or path.parts[len(CRATES.parts)] in FOR_TESTS:
            continue
        text = re.split(r"^#\[cfg\(test\)\]\n(?:pub\(\w+\) )?mod \w+ \{", path.read_text(), flags=re.MULTILINE)[0]
        lines = text.splitlines()
        for number, line in enumerate(lines):
            above = number - 1
            while above and lines[above].strip() not in ("", "}"):
                above -= 1
            if item.match(line) and not accessor.match(line) and "///" not in " ".join(lines[above:number]):
                yield f"{path.relative_to(ROOT)}:{number + 1} is public and says nothing of itself: {line.strip()}"


if __name__ == "__main__":
    wrong = [*upward(), *large_rings(), *used_by_nobody(), *undocumented()]
    sys.exit("\n".join(wrong) if wrong else 0)
