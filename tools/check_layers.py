#!/usr/bin/env python3
"""Holds the tree against its layers: who may include whom, and what a room must never touch.

    tools/check_layers.py [ROOT]

Reads every add_module and add_program below src/, the order of the add_subdirectory lines, and each include.
The tables ROOMS, MUST_NEVER, ONLY_IN and NO_CALLS below are the rules; the code under them only applies them.
Exit status 1, and one line a finding (file:line: what is wrong), where the tree breaks one.
"""
import dataclasses
import pathlib
import re
import sys

# room (a folder and all below it) -> folders it may include, besides itself and base. The longest room that
# fits a folder rules it; a trailing * stands for everything below.
ROOMS = {
    "base": [],
    "domain": [],
    "link": [],
    "worker": ["link", "domain", "worker/*"],
    "server": ["link", "domain", "server/*"],
    "server/data_plane": ["link", "domain", "server/data_plane", "server/data_plane/*", "server/event_loop",
                          "server/instances"],
    "server/control_plane": ["domain", "server/store", "server/blob", "server/keyring", "server/instances",
                             "server/management"],
    "cli": ["domain", "link"],
    "app": ["*"],
}

# room -> (pattern of an include, why not). Written as the include stands between its quotes or angle
# brackets.
MEDIA_AND_MODELS = (r"png\.h|jpeglib\.h|turbojpeg\.h|gif_lib\.h|tiff(io)?\.h|gdcm.*|charls.*|sndfile.*"
                    r"|zip\.h|hdf5.*|H5.*|simdjson\.h|onnx.*|google/protobuf/.*|.*\.pb\.h")
NETWORK = r"boost/asio.*|boost/beast.*|netinet/.*|arpa/inet\.h|netdb\.h|curl/.*"
STORE = r"soci/.*|sqlite3\.h|libpq.*"
MUST_NEVER = {
    "domain": [
        (r"ctime|time\.h|sys/time\.h", "read a clock: time is a parameter"),
        (r"mutex|shared_mutex|thread|condition_variable|semaphore|future|atomic|pthread\.h",
         "lock or start a thread"),
        (r"fstream|iostream|cstdio|filesystem|unistd\.h|fcntl\.h|sys/.*|base/(unique_fd|log)\.h", "do I/O"),
        (r"boost/json.*|simdjson\.h|boost/url.*|nlohmann/.*", "know JSON or URLs"),
        (STORE, "know SQL"),
        (NETWORK, "know HTTP or sockets"),
    ],
    "link": [(r"fstream|filesystem|boost/beast.*", "open a file or a socket of its own")],
    "worker": [(NETWORK, "reach the network"), (STORE, "know the store")],
    "server": [(MEDIA_AND_MODELS, "parse a body, a media file or a model: that is a worker's")],
    "server/data_plane": [(STORE + r"|fstream|filesystem", "wait for a store or a disk on a request")],
    "cli": [(STORE, "open the store"), (MEDIA_AND_MODELS, "parse a media file or a model")],
    "app": [(MEDIA_AND_MODELS, "parse a media file or a model")],
}

# Pattern of an include that belongs into few rooms -> those rooms.
ONLY_IN = {
    r"onnxruntime.*": ["worker/engine"],
    r"boost/beast.*": ["server/http", "cli"],
    STORE: ["server/store"],
    r"seccomp\.h|linux/(seccomp|landlock|filter)\.h": ["worker/sandbox"],
}

# room -> (pattern of a call, why not): what an include can't show.
NO_CALLS = {
    # Calendars of <chrono> are arithmetic; its clocks are not.
    "domain": [(r"\b\w+_clock\b|\bclock_gettime\b", "read a clock: time is a parameter")],
    "link": [(r"(?<![\w.>])(::)?(open|openat|socket|connect|listen|accept4?)\s*\(",
              "open a file or a socket of its own")],
    "worker": [(r"(?<![\w.>:])::(socket|connect|bind|listen|accept4?)\s*\(", "reach the network")],
}
# The sandbox's tests try on purpose what no worker may do; the zygote hands socket pairs over, which NO_CALLS
# allows.
MAY_TRY = re.compile(r"_test\.cpp$|(^|/)hostile_\w+\.cpp$")

SOURCE_SUFFIXES = {".h", ".cpp"}
KEYWORDS = "PUBLIC|SOURCES|DEPS|TESTS|TEST_DEPS|LINK"


@dataclasses.dataclass
class Module:
    name: str
    folder: str
    kind: str
    parts: dict

    def part(self, keyword):
        return self.parts.get(keyword, [])


def expand_loops(text):
    """CMake's foreach(NAME a b) … endforeach() written out, as far as a list of modules needs it."""
    def expand(match):
        return "\n".join(match[3].replace("${" + match[1] + "}", item) for item in match[2].split())
    return re.sub(r"\bforeach\((\w+)\s([^)]*)\)(.*?)\bendforeach\(\)", expand, text, flags=re.DOTALL)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.source = self.root / "src"
        self.errors = []
        self.modules = {}  # folder -> the modules declared there
        self.order = {}    # name -> place in the order of declaration
        self.read(self.root / "CMakeLists.txt")

    def error(self, path, line, text):
        self.errors.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def read(self, path):
        """One CMakeLists.txt, and those that it adds, in the order in which CMake meets them."""
        if not path.exists():
            return
        text = expand_loops(re.sub(r"#[^\n]*", "", path.read_text()))
        for match in re.finditer(r"\b(add_subdirectory|add_module|add_program)\s*\(([^)]*)\)", text):
            kind, words = match[1], match[2].split()
            if kind == "add_subdirectory":
                self.read(path.parent / words[0] / "CMakeLists.txt")
            elif self.source in path.parents:
                self.declare(path, text.count("\n", 0, match.start()) + 1, kind, words[0], match[2])

    def declare(self, path, line, kind, name, body):
        found = re.findall(rf"\b({KEYWORDS})\b((?:\s+(?!(?:{KEYWORDS})\b)\S+)*)", body)
        module = Module(name, path.parent.relative_to(self.source).as_posix(), kind,
                        {keyword: files.split() for keyword, files in found})
        for dep in module.part("DEPS") + module.part("TEST_DEPS"):
            if dep not in self.order:
                self.error(path, line, f"{name}: '{dep}' is not declared above it")
        self.order[name] = len(self.order)
        self.modules.setdefault(module.folder, []).append(module)

    def home_of(self, folder):
        """The folder of modules that a folder's files belong to: itself, or the nearest one above it."""
        parts = folder.split("/")
        while parts and "/".join(parts) not in self.modules:
            parts.pop()
        return "/".join(parts)

    def owners_of(self, path):
        """The modules that list a file; all modules of its folder where none does (a private header)."""
        home = self.home_of(path.parent.relative_to(self.source).as_posix())
        name = path.relative_to(self.source / home).as_posix()
        listing = [m for m in self.modules[home]
                   if any(name in m.part(keyword) for keyword in ("PUBLIC", "SOURCES", "TESTS"))]
        return listing or self.modules[home]


def room_of(folder, table):
    rooms = [room for room in table if folder == room or folder.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def rooms_over(folder, table):
    return [room for room in table if folder == room or folder.startswith(room + "/")]


def allows(patterns, folder):
    return any(p in ("*", folder) or p.endswith("/*") and folder.startswith(p[:-1]) for p in patterns)


def check_room_pair(tree, path, line, folder, target):
    """The table "room | may use | must never" for one include of one of our own headers."""
    room = room_of(folder, ROOMS)
    if room is None:
        tree.error(path, line, f"{folder} is in no room: add it to ROOMS in tools/check_layers.py")
    elif target == "app" and folder != "app":
        tree.error(path, line, "app is never included: it only puts parts together")
    elif target not in ("base", folder) and not allows(ROOMS[room], target):
        tree.error(path, line, f"{room} must not include {target}")


def check_own_include(tree, path, line, folder, included):
    target_folder, _, header = included.rpartition("/")
    home = tree.home_of(target_folder)
    if not home:
        return tree.error(path, line, f"{included} is in no module")
    here = tree.home_of(folder)
    check_room_pair(tree, path, line, here, home)
    if home == here:
        return None
    keywords = ("DEPS", "TEST_DEPS") if path.name.endswith("_test.cpp") else ("DEPS",)
    deps = {dep for module in tree.owners_of(path) for keyword in keywords for dep in module.part(keyword)}
    name = included[len(home) + 1:]
    holders = [m for m in tree.modules[home] if name in m.part("PUBLIC")]
    if not holders:
        return tree.error(path, line, f"{included} is private to {home}")
    if not any(m.name in deps for m in holders):
        return tree.error(path, line, f"{here} does not declare {holders[0].name} in DEPS")
    return holders[0].name


def check_foreign(tree, path, line, folder, included):
    # A test may prepare files and clocks that its room must never touch.
    for room in [] if MAY_TRY.search(path.as_posix()) else rooms_over(folder, MUST_NEVER):
        for pattern, why in MUST_NEVER[room]:
            if re.fullmatch(pattern, included):
                tree.error(path, line, f"<{included}>: {room} must never {why}")
    for pattern, rooms in ONLY_IN.items():
        if re.fullmatch(pattern, included) and not rooms_over(folder, rooms):
            tree.error(path, line, f"<{included}> belongs to {' and '.join(rooms)} only")


def check_calls(tree, path, line, folder, text):
    if MAY_TRY.search(path.as_posix()):
        return
    code = re.sub(r'"(\\.|[^"\\])*"|//.*', "", text)
    for room in rooms_over(folder, NO_CALLS):
        for pattern, why in NO_CALLS[room]:
            if re.search(pattern, code):
                tree.error(path, line, f"{room} must never {why}")


def check_file(tree, path):
    """The names of the modules that this file includes."""
    folder = path.parent.relative_to(tree.source).as_posix()
    if not tree.home_of(folder):
        tree.error(path, 1, "belongs to no module: its folder has no add_module, or nothing adds its folder")
        return set()
    used = set()
    for number, text in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', text)
        if not match:
            check_calls(tree, path, number, folder, text)
            continue
        own = match[1] == '"' and "/" in match[2] and (tree.source / match[2]).exists()
        check_foreign(tree, path, number, folder, match[2])
        if own:
            used.add(check_own_include(tree, path, number, folder, match[2]))
        elif match[1] == '"' and not match[2].endswith(".pb.h"):
            tree.error(path, number, f'"{match[2]}" is no header of ours (others stand in <>)')
    return used


def check_header(tree, path, name):
    text = path.read_text()
    if not text.startswith(f"// {name} - "):
        tree.error(path, 1, f"the first line must be '// {name} - <what it is>'")
    if text.count("\n") > 150:
        tree.error(path, 151, "a public header is at most 150 lines: one page, read in one go")


def check_module(tree, module, used):
    folder = tree.source / module.folder
    listing = folder / "CMakeLists.txt"
    for header in module.part("PUBLIC"):
        if not (folder / header).exists():
            tree.error(listing, 1, f"{module.name}: {header} does not exist")
        else:
            check_header(tree, folder / header, f"{module.folder}/{header}")
    for dep in module.part("DEPS"):
        if dep != "base" and dep not in used and module.kind == "add_module":
            tree.error(listing, 1, f"{module.name} declares {dep} in DEPS and includes nothing of it")


def check_listed(tree, path):
    """A .cpp that no module lists is never compiled."""
    if path.suffix != ".cpp":
        return
    home = tree.home_of(path.parent.relative_to(tree.source).as_posix())
    name = path.relative_to(tree.source / home).as_posix() if home else ""
    if home and not any(name in m.part("SOURCES") + m.part("TESTS") for m in tree.modules[home]):
        tree.error(path, 1, f"no module of {home} lists it")


def check(root):
    tree = Tree(root)
    used = {}  # folder of modules -> names of modules that its files include
    for path in sorted(p for p in tree.source.rglob("*") if p.suffix in SOURCE_SUFFIXES):
        found = check_file(tree, path)
        check_listed(tree, path)
        home = tree.home_of(path.parent.relative_to(tree.source).as_posix())
        used.setdefault(home, set()).update(found)
    for folder, modules in tree.modules.items():
        for module in modules:
            check_module(tree, module, used.get(folder, set()))
    return tree.errors


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    errors = check(root)
    print("\n".join(errors) if errors else "check_layers: every include goes down")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
