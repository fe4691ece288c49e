"""Rules on how files look: format, length, words, comments, README files, names of tests."""

import re
import shutil
import subprocess

from tree import Finding

MAX_LINES = 500
AIM_LINES = 300
MAX_COLUMNS = 100
CLANG_FORMAT_MAJOR = "14"  # Debian 12's; other versions lay out some lines differently


class Skipped(Exception):
    """A rule that cannot be checked on this machine; the text says why."""


def clang_format():
    """The path of clang-format 14; raises Skipped where there is none."""
    for name in (f"clang-format-{CLANG_FORMAT_MAJOR}", "clang-format"):
        path = shutil.which(name)
        if path is None:
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        if re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
            return path
    raise Skipped(f"clang-format {CLANG_FORMAT_MAJOR} is not installed")


def check_format(tree):
    """C++ is laid out as clang-format lays it out."""
    paths = [file.path for file in tree.files if file.is_cpp]
    program = clang_format()
    if not paths:
        return
    run = subprocess.run([program, "--dry-run", "--style=file", *paths], cwd=tree.root,
                         capture_output=True, text=True)
    seen = set()
    for match in re.finditer(r"^(.+?):(\d+):\d+: (?:warning|error):", run.stderr, re.MULTILINE):
        if match.group(1) not in seen:  # the first place in each file is enough
            seen.add(match.group(1))
            yield Finding(match.group(1), int(match.group(2)),
                          f"not formatted: clang-format -i {match.group(1)}")


def check_length(tree):
    """No file is longer than 500 lines."""
    for file in tree.files:
        if file.is_code and len(file.lines) > MAX_LINES:
            yield Finding(file.path, MAX_LINES + 1,
                          f"{len(file.lines)} lines; past {MAX_LINES} there are two concepts in it")


def long_files(tree):
    """Files past the aim but within the limit, longest first: told, not refused."""
    sizes = [(len(file.lines), file.path) for file in tree.files if file.is_code]
    return sorted((size for size in sizes if AIM_LINES < size[0] <= MAX_LINES), reverse=True)


RAW_STRING = re.compile(r'\bR"([^()\\\s]{0,16})\(.*?\)\1"', re.DOTALL)


def raw_string_lines(file):
    """Numbers of the lines that raw strings stand on: nothing may be broken there."""
    numbers = set()
    for match in RAW_STRING.finditer(file.text):
        numbers.update(range(file.line_of(match.start()), file.line_of(match.end()) + 1))
    return numbers


def check_width(tree):
    """Lines end before column 101, but for raw strings and a lone long word in a comment."""
    for file in tree.files:
        if not file.is_code:
            continue
        exempt = raw_string_lines(file) if file.is_cpp else ()
        for number, line in enumerate(file.lines, 1):
            if number in exempt:
                continue
            if len(line) > MAX_COLUMNS and not re.match(r"^\s*(//|#)/?\s*\S+$", line):
                yield Finding(file.path, number, f"{len(line)} columns; at most {MAX_COLUMNS}")


def check_whitespace(tree):
    """No tabs in code, no blanks at line ends, one newline at the end of a file."""
    for file in tree.files:
        if not file.is_code:
            continue
        for number, line in enumerate(file.lines, 1):
            if "\t" in line:
                yield Finding(file.path, number, "a tab; write blanks")
            elif line != line.rstrip():
                yield Finding(file.path, number, "blanks at the end of the line")
        if file.text and (not file.text.endswith("\n") or file.text.endswith("\n\n")):
            yield Finding(file.path, len(file.lines), "a file ends with exactly one newline")


def check_readme(tree):
    """Every folder at the top has a README.md."""
    folders = {file.folder for file in tree.files}
    for folder in sorted(folders):
        if folder and not folder.startswith(".") and tree.with_path(f"{folder}/README.md") is None:
            yield Finding(f"{folder}/README.md", 1, "missing: what the folder is for, what it may "
                          "not know, in which order to read it")


# Paths that exist on one machine only, and hosts that only a package manager should name.
PLACES = (
    (re.compile(r"(?<![\w.$}])/(?:work|farm|Users)/"), "a path of one machine"),
    (re.compile(r"(?<![\w.$}])/(?:home/\w+|root)/\w"), "a path of one machine"),
    (re.compile(r"\b(?:deb\.debian|registry\.npmjs|files\.pythonhosted)\.org\b"
                r"|\bpypi\.org\b|\bproxy\.golang\.org\b|\bstatic\.crates\.io\b"),
     "the name of a package registry"),
)


def check_places(tree):
    """No file names a path of one machine or a package registry."""
    for file in tree.files:
        for pattern, what in PLACES:
            for match in pattern.finditer(file.text):
                yield Finding(file.path, file.line_of(match.start()), f"{match.group(0)}: {what}")


MARKS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def check_marks(tree):
    """No marks of unfinished work in code."""
    for file in tree.files:
        if file.is_code:
            for match in MARKS.finditer(file.text):
                yield Finding(file.path, file.line_of(match.start()),
                              f"{match.group(0)}: do it, or open an issue")


TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*"
                  r"\{(?:([^\n]*)\}$|(.*?)^\})", re.MULTILINE | re.DOTALL)
# Words in CamelCase, then the invariants that the test checks; DISABLED_ runs only when asked for.
SENTENCE = re.compile(r"^(?:DISABLED_)?([A-Z][A-Za-z0-9]*)((?:_I\d+)*)$")
CHECKS = re.compile(r"EXPECT|ASSERT|FAIL\(|SUCCEED\(|ADD_FAILURE|[Cc]heck|[Vv]erify|[Ee]xpect")


def tests_of(file):
    """Yields (line, suite, name, body) of every GoogleTest test."""
    for match in TEST.finditer(file.text):
        body = match.group(3) or match.group(4) or ""
        yield file.line_of(match.start()), match.group(1), match.group(2), body


def check_test_names(tree):
    """Names of tests are sentences: several words in CamelCase, then perhaps invariants (_I7)."""
    for file in tree.files:
        if not file.path.endswith("_test.cc"):
            continue
        for line, suite, name, _ in tests_of(file):
            sentence = SENTENCE.match(name)
            if not sentence or len(re.findall(r"[A-Z][a-z0-9]*", sentence.group(1))) < 2:
                yield Finding(file.path, line, f"{suite}.{name}: say in CamelCase what holds, as "
                              "RefutesSuspicionByRaisingIncarnation does")


def check_test_bodies(tree):
    """Every test asserts something, and none sleeps to wait for something."""
    for file in tree.files:
        if not file.path.endswith("_test.cc"):
            continue
        for line, suite, name, body in tests_of(file):
            if not CHECKS.search(body or ""):
                yield Finding(file.path, line, f"{suite}.{name} asserts nothing")
            if re.search(r"\bsleep_(?:for|until)\b|\bu?sleep\s*\(", body):
                yield Finding(file.path, line, f"{suite}.{name} sleeps: wait for what it needs")


def check_header_comments(tree):
    """Each header begins with a comment on its purpose, and is included once."""
    for file in tree.files:
        if not file.path.endswith(".h"):
            continue
        if not file.lines or not file.lines[0].startswith("/// "):
            yield Finding(file.path, 1,
                          "begins with a comment: /// purpose, thread-safety, invariants")
        if "#pragma once" not in file.lines:
            yield Finding(file.path, 1, "#pragma once is missing")


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def check_links(tree):
    """Links between the project's Markdown files lead somewhere."""
    for file in tree.files:
        if not file.path.endswith(".md"):
            continue
        for match in LINK.finditer(file.text):
            target = match.group(1)
            if "://" in target or target.startswith("mailto:"):
                continue
            if not ((tree.root / file.path).parent / target).exists():
                yield Finding(file.path, file.line_of(match.start()), f"{target} does not exist")


QUOTED = re.compile(r"<!-- file: (\S+) -->\n+```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check_quotes(tree):
    """Code that a Markdown file quotes from a file (`<!-- file: path -->`) is that file's text."""
    for file in tree.files:
        if not file.path.endswith(".md"):
            continue
        for match in QUOTED.finditer(file.text):
            source = tree.with_path(match.group(1))
            if source is None or match.group(2).strip() not in source.text:
                yield Finding(file.path, file.line_of(match.start()),
                              f"the block below is not the text of {match.group(1)}")
