"""The rule that what docs/GUARANTEES.md promises names tests that exist.

A promise is followed by a note, `*(tests/node: KvTest, LevelsTest; cluster: dev_run; sim: I2)*`.
Its parts are divided by `;`, each of a kind and of names divided by `,`. A name has no blanks; what
has is prose.
"""

import re

from tree import Finding

DOCUMENT = "docs/GUARANTEES.md"
NOTE = re.compile(r"\*\(([^()]*)\)\*")
PART = re.compile(r"^(tests/\w+|cluster|sim): *(.*)$")
GOOGLE_TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)", re.MULTILINE)
# Rows of the simulator's tables of workloads, faults and rules that can be left out.
SIM_ROW = re.compile(r'^    \{"([a-z-]+)",', re.MULTILINE)
SIM_TABLES = ("tests/sim/workload.h", "tests/sim/fault.h", "tests/sim/mutations.cc")
INVARIANT = re.compile(r"^\| (I\d+) \|", re.MULTILINE)


def unit_tests(tree, folder):
    """Suites, and tests as Suite.Test, of the files under tests/."""
    names = set()
    for file in tree.files:
        if file.path.startswith(f"{folder}/") and file.path.endswith("_test.cc"):
            for suite, test in GOOGLE_TEST.findall(file.text):
                names.update((suite, f"{suite}.{test}"))
    return names


def scenarios(tree):
    return {file.name.removesuffix(".py") for file in tree.files
            if re.fullmatch(r"cluster-test/scenarios/\w+\.py", file.path)}


def simulated(tree):
    """What the simulator can be asked for by name, and the invariants."""
    names = set()
    for path in SIM_TABLES:
        table = tree.with_path(path)
        names.update(SIM_ROW.findall(table.text) if table else ())
    concepts = tree.with_path("docs/CONCEPTS.md")
    names.update(INVARIANT.findall(concepts.text) if concepts else ())
    return names


def names_of(tree, kind):
    if kind == "cluster":
        return scenarios(tree)
    return simulated(tree) if kind == "sim" else unit_tests(tree, kind)


def check_guarantees(tree):
    """Every test that GUARANTEES.md names in its notes exists."""
    document = tree.with_path(DOCUMENT)
    for note in NOTE.finditer(document.text if document else ""):
        line = document.line_of(note.start())
        named = 0
        for part in note.group(1).split(";"):
            match = PART.match(" ".join(part.split()))
            if match is None:
                yield Finding(DOCUMENT, line, f"'{part.strip()}': begin with tests/FOLDER, cluster "
                              "or sim, and a colon")
                continue
            known = names_of(tree, match.group(1))
            for name in re.split(r", *", match.group(2)):
                name = name.strip("`")
                if " " in name:
                    continue
                named += 1
                if name not in known:
                    yield Finding(DOCUMENT, line, f"{match.group(1)} has no {name}")
        if named == 0:
            yield Finding(DOCUMENT, line, "the note names no test")
