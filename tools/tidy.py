#!/usr/bin/env python3
"""The house rules that a program can check, as a check. (Who may include whom: check_layers.py.)

    tools/tidy.py [ROOT]

Looks at every file that git knows or would add. Exit status 1, and one line a finding (file:line: what is
wrong, and what to write instead). A line that must break a rule says so in a comment on it, with the reason:
`tidy: allow RULE, because …`.
"""
import ast
import pathlib
import re
import subprocess
import sys

FUNCTION_LINES = 70
FILE_LINES = 500
LINE_COLUMNS = 110

CODE_SUFFIXES = {".h", ".cpp", ".py", ".sh", ".cmake"}
CODE_NAMES = {"do", "run", "CMakeLists.txt"}
# Files that programs write or that people read as data: no limits on length.
DATA = re.compile(r"(^|/)(data|corpus|locales)/|\.(json|lock|csv|svg|pbtxt|nntxt|sql)$|(^|/)LICENSE$")

NAME_IT = "a name that says what it does"
# Part of a name -> what to write instead, where our own code introduces the name.
BANNED_WORDS = {
    "mgr": "manager", "cfg": "config", "ctx": "context", "cnt": "count", "idx": "index", "tmp": "temporary",
    "msg": "message", "req": "request", "resp": "response", "usr": "user", "pwd": "password",
    "passwd": "password", "conn": "connection", "srv": "server", "calc": "compute", "util": NAME_IT,
    "utils": NAME_IT, "helper": NAME_IT, "helpers": NAME_IT, "misc": NAME_IT, "millis": "ms", "msec": "ms",
    "usec": "us", "secs": "s", "kb": "kib", "mb": "mib", "gb": "gib",
}
# Phrase -> what to write instead, anywhere, in any case. What this file must not hold itself is in pieces.
BANNED_PHRASES = {
    "white" "list": "allow list", "black" "list": "block list", r"\bsanity " "check": "check",
    r"\bsla" r"ve\b": "replica",
}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
PLACES = re.compile(r"(?<![\w.])/(?:ho" r"me|ro" r"ot|wo" r"rk|Us" r"ers)/[\w.$]")
HOSTS = re.compile("|".join(rf"{name}\.{ending}" for name, ending in (
    ("pypi", "org"), ("files.pythonhosted", "org"), ("deb.debian", "org"), ("security.debian", "org"),
    ("snapshot.debian", "org"), ("registry.npmjs", "org"), ("crates", "io"), ("proxy.golang", "org"),
    ("repo1?.maven", "org"))))


def files_of(root):
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    paths = {pathlib.Path(root) / name for name in listing.split("\0") if name}
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


# --- reading C++ --------------------------------------------------------------------------------------------

COMMENT_OR_STRING = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|R\"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)\""
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.DOTALL)


def spaces(match):
    return re.sub(r"[^\n]", " ", match[0])


def code_of(text):
    """C++ without its comments and strings; every line and column stays where it is."""
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "_", text)  # 1'000: a separator, no quote
    return COMMENT_OR_STRING.sub(spaces, text)


def without_strings(text):
    """Python without its comments and strings, likewise."""
    pattern = r"#[^\n]*|(?P<mark>\"{3}|'{3}|\"|')(?:\\.|(?!(?P=mark))[^\\])*(?P=mark)"
    return re.sub(pattern, spaces, text, flags=re.DOTALL)


def opens_function(head):
    """True where `head`, the text between the last ; { or } and a brace, is the head of a function."""
    head = re.sub(r"^\s*template\s*<[^{]*?>\s*(?=\w)", "", head.strip())
    if re.match(r"(namespace|class|struct|enum|union|extern)\b", head) and not head.endswith(")"):
        return False
    return bool(re.search(r"\)\s*(const|noexcept|override|final|mutable|&|\s|->\s*[\w:<>,&*\s]+|:\s.*)*$",
                          head, re.DOTALL))


def cpp_functions(text):
    """(line, lines) of each outermost function; what lies inside it, lambdas too, counts as its lines."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n)*", spaces, code_of(text), flags=re.MULTILINE)
    depth, inside_at, start, last = 0, None, 0, 0
    for match in re.finditer(r"[{};]", code):
        if match[0] == "{":
            head = code[last:match.start()]
            if inside_at is None and opens_function(head):
                inside_at, start = depth, last + len(head) - len(head.lstrip())
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if inside_at == depth:
                first = code.count("\n", 0, start) + 1
                yield first, code.count("\n", 0, match.start()) + 2 - first
                inside_at = None
        if inside_at is None:
            last = match.end()


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


FUNCTIONS = {".cpp": cpp_functions, ".h": cpp_functions, ".py": python_functions}


# --- the rules ----------------------------------------------------------------------------------------------

class File:
    """One file of the tree, and what was found in it."""

    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_bytes().decode("utf-8", "replace")
        self.lines = self.text.split("\n")
        self.is_cpp = path.suffix in (".h", ".cpp")
        self.is_code = path.suffix in CODE_SUFFIXES or path.name in CODE_NAMES
        self.code_lines = (code_of if self.is_cpp else without_strings)(self.text).split("\n")
        self.errors = []

    def add(self, line, rule, text):
        if f"tidy: allow {rule}" not in self.lines[min(line, len(self.lines)) - 1]:
            self.errors.append(f"{self.name}:{line}: {text} [{rule}]")


def check_size(file):
    count = len(file.lines) - (file.lines[-1] == "")
    if count > FILE_LINES:
        file.add(FILE_LINES + 1, "file", f"{count} lines: at most {FILE_LINES}; split it by what it does")
    for first, length in FUNCTIONS.get(file.path.suffix, lambda text: ())(file.text):
        if length > FUNCTION_LINES:
            file.add(first, "function", f"a function of {length} lines: at most {FUNCTION_LINES}")
    for number, line in enumerate(file.lines, 1):
        if len(line) > LINE_COLUMNS:
            file.add(number, "columns", f"{len(line)} columns: a line has at most {LINE_COLUMNS}")
        if line != line.rstrip() or "\t" in line:
            file.add(number, "space", "no tabs, and no space at the end of a line")


def check_phrases(file):
    for number, line in enumerate(file.lines, 1):
        if UNFINISHED.search(line):
            file.add(number, "unfinished", "nothing unfinished stays on the main branch")
        for phrase, instead in BANNED_PHRASES.items():
            found = re.search(phrase, line, re.IGNORECASE)
            if found:
                file.add(number, "word", f"'{found[0]}': write {instead}")


def introduces(line, word):
    """True where the line declares the name: the use of somebody else's name is not ours to choose."""
    name = re.escape(word)
    declaration = rf"[\w>&*\]]\s+[&*]*{name}\s*(=[^=]|;|,|\)|\{{|:[^:]|\([^;]*\)\s*(const\s*)?[{{;])"
    python = rf"^\s*(def|class)\s+{name}\b|^\s*{name}\s*=[^=]|\bfor\s+{name}\s+in\b"
    return bool(re.search(declaration, line) or re.search(python, line))


def check_names(file):
    if not file.is_cpp and file.path.suffix != ".py":
        return
    for number, line in enumerate(file.code_lines, 1):
        for word in re.findall(r"(?<![\w:.>])[A-Za-z]\w*", line):
            if word.isupper():
                continue  # a macro of the system's
            for part in re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower().split("_"):
                if part in BANNED_WORDS and introduces(line, word):
                    file.add(number, "word", f"'{word}': write {BANNED_WORDS[part]} for '{part}'")


def check_places(file):
    for number, line in enumerate(file.lines, 1):
        if PLACES.search(line):
            file.add(number, "place", "a folder of somebody's machine")
        if HOSTS.search(line):
            file.add(number, "host", "a package registry's host: the ordinary clients know it")


def check_cmake(file):
    if file.path.suffix != ".cmake" and file.path.name != "CMakeLists.txt":
        return
    for number, line in enumerate(file.lines, 1):
        if re.search(r"\bGLOB(_RECURSE)?\b", line.split("#")[0]):
            file.add(number, "glob", "no GLOB: a new file is a decision, so list it")


def check_header(file):
    if file.path.suffix != ".h":
        return
    if "#pragma once" not in file.lines:
        file.add(1, "header", "a header has #pragma once")
    if not file.lines[0].startswith("// "):
        file.add(1, "header", "a header opens with a comment: what it is, who calls it, what it never does")
    for number, line in enumerate(file.code_lines, 1):
        if re.search(r"\w+\([^()]*\bbool \w+(\s*=[^,)]*)?\s*[,)]", line):
            file.add(number, "boolean", "no boolean arguments: an enum says at the call what it means")


def check_file(root, path):
    if b"\0" in path.read_bytes():
        return []
    file = File(root, path)
    check_places(file)
    if file.is_code and not DATA.search(file.name):
        for rule in (check_size, check_phrases, check_names, check_cmake, check_header):
            rule(file)
    return file.errors


def check(root):
    return [error for path in files_of(root) for error in check_file(root, path)]


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    errors = check(root)
    print("\n".join(errors) if errors else "tidy: the house is in order")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
