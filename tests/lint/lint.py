#!/usr/bin/env python3
"""Checks what STYLE.md asks for and a tool can see.

    lint.py [--root FOLDER] [RULE ...]     all rules, or those named
    lint.py --list                         names and one line each

Prints one line per violation, `path:line: what`, and ends with 1 when there is one, with 77 when
the only rule asked for cannot be checked on this machine.
"""

import argparse
import pathlib
import sys

import guarantee_rules
import include_rules
import text_rules
from tree import Tree

RULES = {
    "layers": include_rules.check_layers,
    "doors": include_rules.check_doors,
    "format": text_rules.check_format,
    "length": text_rules.check_length,
    "width": text_rules.check_width,
    "whitespace": text_rules.check_whitespace,
    "readme": text_rules.check_readme,
    "places": text_rules.check_places,
    "marks": text_rules.check_marks,
    "test-names": text_rules.check_test_names,
    "test-bodies": text_rules.check_test_bodies,
    "header-comments": text_rules.check_header_comments,
    "links": text_rules.check_links,
    "quotes": text_rules.check_quotes,
    "guarantees": guarantee_rules.check_guarantees,
}
SKIPPED = 77


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).parents[2],
                        help="the project's folder (default: the one this script is in)")
    parser.add_argument("--list", action="store_true", help="print the rules and end")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="rules to check (default: all)")
    options = parser.parse_args()
    if options.list:
        for name, rule in RULES.items():
            print(f"{name:16} {rule.__doc__}")
        return 0
    unknown = set(options.rules) - set(RULES)
    if unknown:
        parser.error(f"unknown rule {', '.join(sorted(unknown))}; see --list")

    tree = Tree(options.root)
    failed, skipped = 0, 0
    wanted = options.rules or list(RULES)
    for name in wanted:
        try:
            findings = list(RULES[name](tree))
        except text_rules.Skipped as reason:
            print(f"skipped {name}: {reason}")
            skipped += 1
            continue
        for finding in findings:
            print(f"{finding} [{name}]")
        failed += len(findings)
    if "length" in wanted:
        for lines, path in text_rules.long_files(tree):
            print(f"note: {path} has {lines} lines; the aim is {text_rules.AIM_LINES}")
    print(f"{len(tree.files)} files, {len(wanted)} rules, {failed} violations")
    if failed:
        return 1
    return SKIPPED if skipped == len(wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
