#!/usr/bin/env python3
"""Tests of the lint rules: each finds the violation planted for it, and only that."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import lint
import text_rules
from tree import Tree

HEAD = "/// A value.\n#pragma once\n"
GOOD = {
    "README.md": "See [the storage](storage/README.md).\n",
    "storage/README.md": "# storage\n",
    "storage/stamp.h": HEAD + "\n#include <cstdint>\n",
    "include/README.md": "# include\n",
    "include/starling/node.h": HEAD + '\n#include <string>\n\n#include "starling/result.h"\n',
    "tests/README.md": "# tests\n",
    "docs/README.md": "# docs\n",
    "docs/CONCEPTS.md": "| I3 | a claim has one holder |\n",
    "docs/GUARANTEES.md": "It holds. *(tests/storage: Stamp, Stamp.GrowsOverRestarts_I10; sim: I3, "
                          "leased, whose\n  answers are checked; cluster: dev_run)*\n",
    "cluster-test/README.md": "# cluster-test\n",
    "cluster-test/scenarios/dev_run.py": '"""Runs."""\n',
    "tests/sim/workload.h": HEAD + 'Row kRows[] = {\n    {"leased", nullptr},\n};\n',
    "tests/storage/stamp_test.cc": "TEST(Stamp, GrowsOverRestarts_I10) { EXPECT_TRUE(Grows()); }\n",
}

# rule -> (file planted, its text). Words that the rules look for are split so that this file
# passes them itself.
PLANTED = {
    "layers upwards": ("layers", "storage/bad.h", HEAD + '#include "node/reply.h"\n'),
    "layers sideways": ("layers", "replication/bad.cc", '#include "redis_bridge/breaker.h"\n'),
    "layers in public": ("layers", "include/starling/bad.h", HEAD + "#include <spdlog/logger.h>\n"),
    "layers posix in public": ("layers", "include/starling/bad.h", HEAD + "#include <unistd.h>\n"),
    "layers no folder": ("layers", "storage/bad.cc", '#include "stamp.h"\n'),
    "doors asio": ("doors", "replication/bad.cc", "#include <asio.hpp>\n"),
    "doors rocksdb": ("doors", "storage/store.cc", "#include <rocksdb/db.h>\n"),
    "doors capnp": ("doors", "replication/streams.cc", "#include <capnp/message.h>\n"),
    "doors codec parts": ("doors", "replication/streams.cc",
                          '#include "replication/peer_codec_parts.h"\n'),
    "doors schema": ("doors", "storage/store.cc", '#include "storage/batch.capnp.h"\n'),
    "format": ("format", "storage/bad.cc", "int  f( ){return 1 ;}\n"),
    "length": ("length", "storage/bad.cc", "int a;\n" * 501),
    "width": ("width", "storage/bad.cc", "int " + "a" * 100 + ";\n"),
    "whitespace tab": ("whitespace", "storage/bad.cc", "\tint a;\n"),
    "whitespace end": ("whitespace", "storage/bad.cc", "int a; \n"),
    "whitespace newline": ("whitespace", "storage/bad.cc", "int a;"),
    "readme": ("readme", "server/main.cc", "int a;\n"),
    "places path": ("places", "storage/README.md", "see /" + "work/notes\n"),
    "places home": ("places", "storage/bad.cc", "// /" + "home/anna/notes\n"),
    "places registry": ("places", "storage/README.md", "from deb." + "debian.org\n"),
    "marks": ("marks", "storage/bad.cc", "// TO" + "DO: later\n"),
    "names one word": ("test-names", "tests/storage/bad_test.cc",
                       "TEST(Stamp, Grows) {\n  EXPECT_T();\n}\n"),
    "names invariant alone": ("test-names", "tests/storage/bad_test.cc",
                              "TEST(Stamp, Grows_I2) {\n  EXPECT_T();\n}\n"),
    "names underscore": ("test-names", "tests/storage/bad_test.cc",
                         "TEST(Stamp, grows_well) {\n  EXPECT_T();\n}\n"),
    "bodies empty": ("test-bodies", "tests/storage/bad_test.cc",
                     "TEST(Stamp, GrowsWell) {\n  Draw();\n}\n"),
    "bodies sleep": ("test-bodies", "tests/storage/bad_test.cc",
                     "TEST(Stamp, GrowsWell) {\n  EXPECT_T(); sleep_for(1s);\n}\n"),
    "header comment": ("header-comments", "storage/bad.h", "#pragma once\n"),
    "header pragma": ("header-comments", "storage/bad.h", "/// A value.\n"),
    "links": ("links", "storage/README.md", "[gone](../nowhere/README.md)\n"),
    "guarantees no test": ("guarantees", "docs/GUARANTEES.md", "*(tests/storage: Stamps)*\n"),
    "guarantees other folder": ("guarantees", "docs/GUARANTEES.md", "*(tests/node: Stamp)*\n"),
    "guarantees no such test": ("guarantees", "docs/GUARANTEES.md",
                                "*(tests/storage: Stamp, Stamp.Shrinks)*\n"),
    "guarantees no scenario": ("guarantees", "docs/GUARANTEES.md", "*(sim: I3; cluster: dev)*\n"),
    "guarantees no workload": ("guarantees", "docs/GUARANTEES.md", "*(sim: I4)*\n"),
    "guarantees only prose": ("guarantees", "docs/GUARANTEES.md", "*(sim: seen under faults)*\n"),
    "guarantees no kind": ("guarantees", "docs/GUARANTEES.md", "*(sim: I3; seen elsewhere)*\n"),
    "quotes differ": ("quotes", "storage/README.md",
                      "<!-- file: storage/stamp.h -->\n```cpp\nint other;\n```\n"),
    "quotes missing": ("quotes", "storage/README.md",
                       "<!-- file: gone.cc -->\n```cpp\nint a;\n```\n"),
}


def plant(folder, files):
    for path, text in files.items():
        full = pathlib.Path(folder) / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")


class Rules(unittest.TestCase):
    def findings(self, rule, files):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, files)
            return list(lint.RULES[rule](Tree(folder)))

    def test_a_clean_tree_has_no_findings(self):
        for rule in lint.RULES:
            with self.subTest(rule):
                try:
                    self.assertEqual(self.findings(rule, GOOD), [])
                except text_rules.Skipped as reason:
                    self.skipTest(str(reason))

    def test_every_planted_violation_is_found_where_it_is(self):
        for what, (rule, path, text) in PLANTED.items():
            with self.subTest(what):
                try:
                    found = self.findings(rule, {**GOOD, path: text})
                except text_rules.Skipped as reason:
                    self.skipTest(str(reason))
                expected = "server/README.md" if rule == "readme" else path
                self.assertEqual({finding.path for finding in found}, {expected})

    def test_every_rule_has_a_planted_violation(self):
        self.assertEqual({rule for rule, _, _ in PLANTED.values()}, set(lint.RULES))

    def test_raw_strings_may_be_wide(self):
        text = 'const char* text = R"(\n' + "a" * 120 + ' b\n)";\n'
        self.assertEqual(self.findings("width", {**GOOD, "storage/text.cc": text}), [])

    def test_quoted_text_of_a_file_passes(self):
        quote = "<!-- file: storage/stamp.h -->\n\n```cpp\n" + GOOD["storage/stamp.h"] + "```\n"
        self.assertEqual(self.findings("quotes", {**GOOD, "README.md": quote}), [])

    def test_doors_are_open_to_those_named_and_to_tests(self):
        files = {
            "storage/rocks_engine.cc": "#include <rocksdb/db.h>\n",
            "storage/batch_codec.cc": '#include "storage/batch.capnp.h"\n',
            "node/transport.cc": "#include <asio.hpp>\n",
            "tests/storage/engine_test.cc": "#include <rocksdb/db.h>\n",
        }
        self.assertEqual(self.findings("doors", files), [])


class Script(unittest.TestCase):
    def run_script(self, files, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, files)
            script = pathlib.Path(__file__).with_name("lint.py")
            return subprocess.run([sys.executable, script, "--root", folder, *arguments],
                                  capture_output=True, text=True)

    def test_it_fails_and_names_the_place(self):
        run = self.run_script({**GOOD, "storage/bad.cc": "int a;\n" * 501}, "length", "width")
        self.assertEqual(run.returncode, 1)
        self.assertIn("storage/bad.cc:501:", run.stdout)

    def test_it_passes_a_clean_tree_and_tells_long_files(self):
        run = self.run_script({**GOOD, "storage/long.cc": "int a;\n" * 301}, "length")
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("storage/long.cc has 301 lines", run.stdout)

    def test_it_refuses_an_unknown_rule(self):
        self.assertEqual(self.run_script(GOOD, "beauty").returncode, 2)


if __name__ == "__main__":
    unittest.main()
