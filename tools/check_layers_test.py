#!/usr/bin/env python3
"""Proves that check_layers.py fails on a bad tree: a small good one, and one change a rule."""
import pathlib
import tempfile
import unittest

import check_layers

GOOD = {
    "CMakeLists.txt": "\n".join(f"add_subdirectory(src/{f})" for f in (
        "base", "domain", "link", "worker/tensor", "worker/engine", "server/store", "server/instances",
        "server/data_plane", "app")),
    "src/base/CMakeLists.txt": "add_module(base PUBLIC result.h clock.h)",
    "src/base/result.h": "// base/result.h - Results.\n",
    "src/base/clock.h": "// base/clock.h - Clocks.\n",
    "src/domain/CMakeLists.txt": "add_module(domain PUBLIC quota.h SOURCES quota.cpp DEPS base)",
    "src/domain/quota.h": "// domain/quota.h - Quotas.\n",
    "src/domain/quota.cpp": '#include "domain/quota.h"\n#include <vector>\n#include "base/result.h"\n',
    "src/link/CMakeLists.txt": "add_module(link PUBLIC frame.h DEPS base)",
    "src/link/frame.h": '// link/frame.h - Frames.\n#include "base/result.h"\n',
    "src/worker/tensor/CMakeLists.txt": "add_module(worker_tensor PUBLIC tensor.h DEPS base)",
    "src/worker/tensor/tensor.h": '// worker/tensor/tensor.h - Tensors.\n#include "base/result.h"\n',
    "src/worker/engine/CMakeLists.txt":
        "add_module(worker_engine PUBLIC engine.h SOURCES engine.cpp DEPS base worker_tensor\n"
        "  TESTS engine_test.cpp TEST_DEPS link)  # add_module(not read)",
    "src/worker/engine/engine.h": '// worker/engine/engine.h - Runs.\n#include "worker/tensor/tensor.h"\n',
    "src/worker/engine/engine.cpp": '#include "worker/engine/inside.h"\n#include <onnxruntime_c_api.h>\n',
    "src/worker/engine/engine_test.cpp": '#include "worker/engine/inside.h"\n#include "link/frame.h"\n',
    "src/worker/engine/inside.h": "// Private to the folder.\n",
    "src/server/store/CMakeLists.txt": "add_module(server_store PUBLIC store.h DEPS base domain)",
    "src/server/store/store.h":
        '// server/store/store.h - Stores.\n#include "domain/quota.h"\n#include <soci/soci.h>\n',
    "src/server/instances/CMakeLists.txt": "add_module(server_instances PUBLIC instance.h DEPS base)",
    "src/server/instances/instance.h": "// server/instances/instance.h - Instances.\n",
    "src/server/data_plane/CMakeLists.txt":
        "add_module(server_data_plane SOURCES admission.cpp DEPS base domain server_instances)",
    "src/server/data_plane/admission.cpp":
        '#include "domain/quota.h"\n#include "server/instances/instance.h"\n// socket(2) here is no call\n',
    "src/app/CMakeLists.txt": "add_program(noren SOURCES main_noren.cpp DEPS server_store)",
    "src/app/main_noren.cpp": '#include "server/store/store.h"\nint main() { return 0; }\n',
}


def findings(changes):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**GOOD, **changes}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check_layers.check(root)


class CheckLayers(unittest.TestCase):
    def finds(self, said, name, text, **more):
        found = findings({name: text, **more})
        self.assertTrue(any(said in error for error in found), found)

    def adds(self, said, name, line):
        self.finds(said, name, GOOD[name] + line + "\n")

    def test_a_good_tree_is_clean(self):
        self.assertEqual(findings({}), [])

    def test_a_loop_over_modules_is_read(self):
        folders = GOOD["CMakeLists.txt"].replace("add_subdirectory(src/", "").replace(")", "")
        loop = f"foreach(M\n{folders})\n  if(X)\n    add_subdirectory(src/${{M}})\n  endif()\nendforeach()\n"
        self.assertEqual(findings({"CMakeLists.txt": loop}), [])

    def test_an_undeclared_dependency(self):
        self.adds("does not declare", "src/server/store/store.h", '#include "server/instances/instance.h"')

    def test_a_dependency_that_only_a_test_declares(self):
        self.adds("does not declare", "src/worker/engine/engine.cpp", '#include "link/frame.h"')

    def test_a_private_header_of_another_folder(self):
        self.finds("is private to", "src/worker/tensor/inside.h", "",
                   **{"src/worker/engine/inside.h": '#include "worker/tensor/inside.h"\n'})

    def test_a_dependency_that_points_up(self):
        self.finds("is not declared above", "src/link/CMakeLists.txt",
                   "add_module(link PUBLIC frame.h DEPS base worker_tensor)")

    def test_a_dependency_that_nothing_uses(self):
        self.finds("includes nothing of it", "src/server/instances/CMakeLists.txt",
                   "add_module(server_instances PUBLIC instance.h DEPS base domain)")

    def test_the_pairs_of_the_table(self):
        for name, header in (("src/domain/quota.cpp", "server/store/store.h"),
                             ("src/worker/engine/engine.cpp", "server/store/store.h"),
                             ("src/server/store/store.h", "worker/tensor/tensor.h"),
                             ("src/server/data_plane/admission.cpp", "server/store/store.h"),
                             ("src/link/frame.h", "domain/quota.h")):
            self.adds("must not include", name, f'#include "{header}"')

    def test_app_is_never_included(self):
        self.finds("app is never included", "src/app/parts.h", "// app/parts.h - Parts.\n",
                   **{"src/server/store/store.h": '#include "app/parts.h"\n'})

    def test_what_a_room_must_never_include(self):
        for name, header in (("src/domain/quota.cpp", "ctime"), ("src/domain/quota.cpp", "mutex"),
                             ("src/domain/quota.cpp", "boost/json.hpp"), ("src/domain/quota.cpp", "fstream"),
                             ("src/domain/quota.cpp", "soci/soci.h"),
                             ("src/worker/engine/engine.cpp", "boost/asio.hpp"),
                             ("src/worker/engine/engine.cpp", "netinet/in.h"),
                             ("src/server/store/store.h", "png.h"),
                             ("src/server/store/store.h", "onnx/onnx_pb.h"),
                             ("src/server/data_plane/admission.cpp", "soci/soci.h")):
            self.adds("must never", name, f"#include <{header}>")

    def test_what_belongs_into_one_room(self):
        for name, header in (("src/worker/tensor/tensor.h", "onnxruntime_cxx_api.h"),
                             ("src/server/instances/instance.h", "boost/beast/http.hpp"),
                             ("src/server/instances/instance.h", "sqlite3.h"),
                             ("src/worker/engine/engine.cpp", "seccomp.h")):
            self.adds("only", name, f"#include <{header}>")

    def test_calls_that_an_include_does_not_show(self):
        self.adds("read a clock", "src/domain/quota.cpp", "int x = system_clock().wall_us();")
        self.adds("read a clock", "src/domain/quota.cpp", "auto x = std::chrono::steady_clock::now();")
        self.adds("a socket of its own", "src/link/frame.h", "inline int f() { return ::socket(1, 1, 0); }")
        self.adds("reach the network", "src/worker/engine/engine.cpp", "int a = ::connect(1, 0, 0);")

    def test_files_that_nobody_compiles(self):
        self.finds("lists it", "src/domain/forgotten.cpp", "")
        self.finds("belongs to no module", "src/server/billing/price.cpp", "")

    def test_a_folder_that_is_in_no_room(self):
        self.finds("is in no room", "src/attic/CMakeLists.txt", "add_module(attic SOURCES a.cpp DEPS base)",
                   **{"src/attic/a.cpp": '#include "base/result.h"\n',
                      "CMakeLists.txt": GOOD["CMakeLists.txt"] + "\nadd_subdirectory(src/attic)"})

    def test_public_headers(self):
        self.finds("the first line must be", "src/link/frame.h", "#pragma once\n")
        self.finds("at most 150 lines", "src/link/frame.h", GOOD["src/link/frame.h"] + "\n" * 150)
        self.finds("does not exist", "src/link/CMakeLists.txt", "add_module(link PUBLIC gone.h DEPS base)")

    def test_an_include_that_is_no_header_of_ours(self):
        self.adds("is no header of ours", "src/link/frame.h", '#include "frame_inside.h"')


if __name__ == "__main__":
    unittest.main()
