#!/bin/bash
# ./do - the one developer command; CI calls nothing else. "./do help" says what it can do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export NOREN_DEPENDENCIES=${NOREN_DEPENDENCIES:-$PWD/build/dependencies}

# Python of the system, where Debian's pytest and requests are; NOREN_PYTHON names another one.
python=${NOREN_PYTHON:-/usr/bin/python3}
conformance=../shared/conformance

help() {
  cat <<'TEXT'
./do VERB [ARGUMENT…]

  run [--data DIR] [--port PORT]
                            build, start a server, publish the iris sample, print a curl line that works
  build [PRESET] [TARGET…]  build/bin/noren and build/bin/noren-worker
  test [PRESET] [STAGE…]    stages: unit e2e conformance (all of them where none is named)
  lint [all]                layers, house rules, format; clang-tidy on changed files, or on all
  format                    clang-format on every C++ file
  bench [NAME…]             measure beside other servers and the limits: a short selection, "all", or by name;
                            "bench soak [SECONDS]": load with faults (docs/benchmarks.md)
  bench models [NETWORK…]   measure translated models, beside the reference and its own export
                            (NOREN_NNABLA_PYTHON names a Python 3.10 for the reference)
  fuzz [SECONDS]            run the fuzz targets
  docs                      write the generated pages of docs/
  bootstrap [GROUP…]        install what a fresh Debian 12 lacks: build test lint bench fuzz

Presets: release (the default, in build/), debug, asan, tsan (each in build-PRESET/).
Every verb installs what it needs first; NOREN_BOOTSTRAP=off leaves the system alone.
TEXT
}

say() { printf './do: %s\n' "$*"; }
fail() { printf './do: %s\n' "$*" >&2; exit 1; }
not_there_yet() { printf './do: %s\n' "$1 is not there yet" >&2; exit 3; }

bootstrap() { tools/bootstrap.sh "$@"; }
need() { [ "${NOREN_BOOTSTRAP:-on}" = off ] || tools/bootstrap.sh "$@" >&2; }

is_preset() { [[ " release debug asan tsan " == *" $1 "* ]]; }
folder_of() { if [ "$1" = release ]; then echo build; else echo "build-$1"; fi; }

# Configures once, and again where the tests are wanted and the last time they were not.
configure() {  # PRESET TESTS(ON|OFF)
  local folder; folder=$(folder_of "$1")
  if [ -f "$folder/build.ninja" ]; then
    [ "$2" = OFF ] || grep -q '^NOREN_TESTS:BOOL=ON' "$folder/CMakeCache.txt" && return
  fi
  cmake --preset "$1" -DNOREN_TESTS="$2" -DNOREN_DEPENDENCIES="$NOREN_DEPENDENCIES" >&2
}

build() {
  local preset=release
  if [ $# -gt 0 ] && is_preset "$1"; then preset=$1; shift; fi
  need build
  configure "$preset" OFF
  cmake --build "$(folder_of "$preset")" --target "${@:-all}"
}

# --- test ---------------------------------------------------------------------------------------------------

logs=build/test-logs
failed_stages=()

stage() {  # NAME COMMAND…: runs one stage, keeps its output for the closing count, goes on after a failure
  local name=$1
  shift
  say "test: $name"
  "$@" 2>&1 | tee "$logs/$name.log" || failed_stages+=("$name")
}

conformance_suite() {  # BUILD_FOLDER SUITE
  stage "conformance-$2" "$python" tests/conformance/run_shared.py "$conformance" "$1/bin/noren" "$2"
}

# Adds up the closing lines of ctest, pytest and the conformance runner into the one line that CI reads.
closing_line() {
  awk '
    /tests passed, [0-9]+ tests failed out of [0-9]+/ {
      match($0, /[0-9]+ tests failed/); f = substr($0, RSTART) + 0
      line[FILENAME] = ($NF - f) " passed, " f " failed" }
    /^(=+ )?[0-9]+ (passed|failed|skipped|errors?|xfailed)(,| in )/ { line[FILENAME] = $0 }
    END {
      for (file in line) {
        gsub(/[=,]/, " ", line[file]); count = split(line[file], word, " ")
        for (i = 2; i <= count; i++) {
          if (word[i] == "passed") passed += word[i - 1]
          if (word[i] ~ /^(failed|errors?)$/) failed += word[i - 1]
          if (word[i] == "skipped") skipped += word[i - 1] } }
      printf "%d passed, %d failed", passed, failed
      if (skipped) printf ", %d skipped", skipped
      print "" }
  ' "$logs"/*.log
}

test_() {
  local preset=release stages="$*"
  if [ $# -gt 0 ] && is_preset "$1"; then preset=$1; shift; stages="$*"; fi
  stages=" ${stages:-unit e2e conformance} "
  need build test
  configure "$preset" ON
  local folder; folder=$(folder_of "$preset")
  cmake --build "$folder" --target all noren_tests
  rm -rf "$logs"; mkdir -p "$logs"
  if [[ $stages == *" unit "* ]]; then
    stage unit ctest --test-dir "$folder" --output-on-failure -j "$(nproc)"
  fi
  if [[ $stages == *" e2e "* && -d tests/e2e ]]; then
    NOREN_BIN="$PWD/$folder/bin" stage e2e "$python" -m pytest -q -n "$(nproc)" --dist loadfile tests/e2e
  fi
  if [[ $stages == *" conformance "* && -d $conformance && $preset == release ]]; then
    for suite in golden samples media functions; do conformance_suite "$folder" "$suite"; done
  fi
  closing_line
  [ ${#failed_stages[@]} = 0 ] || fail "failed: ${failed_stages[*]}"
}

# --- lint, format -------------------------------------------------------------------------------------------

cpp_files() { project_files -- 'src/*.h' 'src/*.cpp' 'tests/*.h' 'tests/*.cpp'; }
project_files() { git ls-files --cached --others --exclude-standard "$@" | sort -u; }

# What differs from the branch that this one will land on (in a fresh clone: from the last commit's parent).
changed_files() {
  local base; base=$(git merge-base HEAD origin/main 2> /dev/null || true)
  if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then base=HEAD~1; fi
  git rev-parse -q --verify "$base" > /dev/null || { project_files; return; }
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } | sort -u
}

lint() {
  need build test lint
  local status=0
  "$python" tools/check_layers.py || status=1
  "$python" tools/tidy.py || status=1
  cpp_files | xargs -r clang-format-14 --dry-run -Werror || status=1
  configure release ON
  local files
  if [ "${1:-}" = all ]; then files=$(cpp_files | grep '\.cpp$' || true)
  else files=$(changed_files | grep -E '^(src|tests)/.*\.cpp$' || true); fi
  if [ -n "$files" ]; then
    # clang-tidy reads what the compiler reads: headers that the build generates must be there.
    ninja -C build -t targets all | sed -n 's/^\([^/].*\.pb\.h\): CUSTOM_COMMAND$/\1/p' |
      xargs -r ninja -C build > /dev/null
    printf '%s\n' "$files" | xargs -P "$(nproc)" -n 4 clang-tidy-14 -p build --quiet 2> /dev/null || status=1
  fi
  [ $status = 0 ] || fail "lint found something (see above); ./do format repairs formatting"
  say "lint: nothing to say"
}

format() {
  need lint
  cpp_files | xargs -r clang-format-14 -i
}

# --- bench, fuzz, docs --------------------------------------------------------------------------------------

bench() {
  [ -f tests/bench/bench.py ] || not_there_yet "the benchmark (tests/bench)"
  need build bench
  if [ "${1:-}" = models ]; then
    shift
    build noren_bench_models
    "$python" tests/bench/models.py "$@"
    return
  fi
  build
  "$python" tests/bench/bench.py "$@"
}

fuzz() {
  [ -f tests/fuzz/fuzz.py ] || not_there_yet "the fuzzing (tests/fuzz)"
  need build test fuzz
  "$python" tests/fuzz/fuzz.py "$@"
}

docs() { build noren_docs; }

run() {
  build
  exec "$python" tools/run.py "$@"
}

verb=${1:-help}
[ $# = 0 ] || shift
case $verb in
  run | build | lint | format | bench | fuzz | docs | bootstrap) "$verb" "$@" ;;
  test) test_ "$@" ;;
  help | -h | --help) help ;;
  *) help >&2; fail "there is no verb '$verb'" ;;
esac
