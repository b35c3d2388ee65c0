#!/usr/bin/env python3
"""Proves that tidy.py fails on a bad tree: one finding a rule, at its limit and one past it."""
import pathlib
import subprocess
import tempfile
import unittest

import tidy

HEADER = "// base/a.h - A.\n#pragma once\n"
FUNCTION = "int f(int x) const {\n%s}\n"


def findings(files):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        for name, text in files.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tidy.check(folder)


class Tidy(unittest.TestCase):
    def finds(self, rule, name, text):
        found = findings({name: text})
        self.assertEqual([error.rpartition(" ")[2] for error in found], [f"[{rule}]"], found)

    def passes(self, name, text):
        self.assertEqual(findings({name: text}), [])

    def test_a_good_tree_is_clean(self):
        self.assertEqual(findings({"src/a.h": HEADER, "src/a.cpp": FUNCTION % "", "do": "true\n"}), [])

    def test_functions(self):
        self.passes("a.cpp", FUNCTION % ("  g();\n" * 68))
        self.finds("function", "a.cpp", FUNCTION % ("  g();\n" * 69))
        self.finds("function", "a.py", "def f():\n" + "    pass\n" * 70)

    def test_function_heads_of_every_kind(self):
        body = "{\n" + "  g();\n" * 70 + "}\n"
        for head in ("A::A(int x)\n    : x_(x), y_(2) ", "auto f() -> std::vector<int> ",
                     "bool f() noexcept ", "template <typename T>\nT* f() const ", "TEST(A, DoesThis) ",
                     "static struct stat f(int a) ", "std::string f(std::string a = \"(\") "):
            self.finds("function", "a.cpp", f"namespace a {{\n{head}{body}}}\n")

    def test_tables_types_and_namespaces_are_no_functions(self):
        for head in ("namespace a::b {", "const int kTable[] = {", "struct A final : B {", "enum class E {"):
            self.passes("a.cpp", head + "\n" + "  1,\n" * 100 + "};\n")

    def test_braces_in_text_do_not_count(self):
        function = FUNCTION % "  g(\"{\", '{', R\"({{)\");  // {\n  int x = 1'000;\n"
        self.passes("a.cpp", function + "int y;\n" * 100)

    def test_files(self):
        self.passes("a.cpp", "int a;\n" * 500)
        self.finds("file", "a.cpp", "int a;\n" * 501)
        self.passes("tests/data/a.cpp", "int a;\n" * 501)

    def test_columns(self):
        self.passes("a.cpp", "//" + "→" * 108 + "\n")
        self.finds("columns", "a.cpp", "//" + "x" * 109 + "\n")
        self.finds("columns", "do", "#" + "x" * 110 + "\n")

    def test_white_space(self):
        self.finds("space", "a.cpp", "int a; \n")
        self.finds("space", "a.py", "if a:\n\tpass\n")

    def test_unfinished(self):
        for mark in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.finds("unfinished", "a.cpp", f"// {mark} later\n")

    def test_words(self):
        for line in ("int req = 1;", "void f(Config& cfg);", "struct JobMgr {\n};", "int read_tmp() {\n}"):
            self.finds("word", "a.cpp", line + "\n")
        self.finds("word", "a.py", "idx = 1\n")
        self.finds("word", "a.cpp", "// the white" "list\n")
        self.passes("a.cpp", "int a = params_of(b).ctx;\ng(\"req = 1;\");\n")

    def test_headers(self):
        self.finds("header", "a.h", "#pragma once\n")
        self.finds("header", "a.h", "// a.h - A.\n")
        self.finds("boolean", "a.h", HEADER + "void set_open(int a, bool open);\n")
        self.passes("a.h", HEADER + "bool is_open(int a);\n// f(bool a)\n")

    def test_a_line_may_give_a_reason(self):
        reason = "  // tidy: allow boolean, because a library calls it"
        self.passes("a.h", HEADER + "void set_open(bool open);" + reason + "\n")
        other = reason.replace("boolean", "word")
        self.finds("boolean", "a.h", HEADER + "void set_open(bool open);" + other + "\n")

    def test_cmake(self):
        self.finds("glob", "CMakeLists.txt", "file(GLOB A *.cpp)\n")
        self.passes("CMakeLists.txt", "# no GLOB\n")

    def test_places_and_hosts(self):
        self.finds("place", "README.md", "see /ho" "me/somebody/x\n")
        self.finds("place", "docs/a.md", "see /ro" "ot/x\n")
        self.passes("README.md", "src/worker, https://example.org/home/x, $HOME/x\n")
        self.finds("host", "a.toml", "index = https://pypi" ".org/simple\n")

    def test_binary_files_are_left_alone(self):
        self.passes("a.py", b"\0" + b"\t" * 200)


if __name__ == "__main__":
    unittest.main()
