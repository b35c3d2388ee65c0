#!/bin/bash
# Installs what a fresh Debian 12 lacks to build, test and run Noren. Says first what it is about to install,
# does nothing where nothing is missing, and is safe to run again.
#
#     tools/bootstrap.sh [GROUP…]      groups: build test lint bench fuzz (all of them where none is named)
#
# Debian's packages come with apt, as root or through sudo. ONNX Runtime, which Debian 12 does not have, is
# put into ${NOREN_DEPENDENCIES:-build/dependencies}/onnxruntime and nowhere else: no root needed, the system
# stays as it is.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock="$repository/tools/dependencies.lock"
dependencies=${NOREN_DEPENDENCIES:-$repository/build/dependencies}
work=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

say() { printf 'bootstrap: %s\n' "$*"; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

clean_up() {
  if [ "$policy_is_ours" = yes ]; then as_root rm -f "$policy"; fi
  rm -rf "$work"
}
trap clean_up EXIT

# --- Debian's packages --------------------------------------------------------------------------------------

packages_of() {  # GROUP…: one package a line
  local group
  for group in "$@"; do
    sed -nE "s/^$group +//p" "$repository/tools/packages.txt" | tr -s ' ' '\n'
  done
}

missing_of() {  # PACKAGE…: those that are not installed
  # dpkg-query fails where it has never heard of a package: that is an answer too.
  { dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2> /dev/null || true; } |
    sed -n 's/ installed$//p' > "$work/installed"
  printf '%s\n' "$@" | grep -vxFf "$work/installed" || true
}

# While packages are installed, no service of theirs starts: a web server that only a benchmark wants must not
# take port 80. A policy that is already there is left alone.
hold_services() {
  [ -e "$policy" ] && return
  printf '#!/bin/sh\nexit 101\n' > "$work/policy"
  as_root install -m 755 "$work/policy" "$policy"
  policy_is_ours=yes
}

install_packages() {  # GROUP…
  local wanted missing
  mapfile -t wanted < <(packages_of "$@")
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [ ${#missing[@]} = 0 ] && return
  say "about to install ${#missing[@]} Debian packages with apt: ${missing[*]}"
  [ "$(id -u)" = 0 ] || command -v sudo > /dev/null ||
    fail "that needs root: run 'tools/bootstrap.sh $*' as root once, or install sudo"
  hold_services
  say "(this takes a few minutes)"
  {
    as_root apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}"
  } > "$work/apt.log" 2>&1 || {
    tail -20 "$work/apt.log" >&2
    fail "apt could not install the packages named above"
  }
  # A benchmark starts its own nginx; the system's must not come up with the next boot either.
  if [[ " ${missing[*]} " == *" nginx-light "* ]]; then
    as_root update-rc.d nginx disable || true
    as_root deb-systemd-helper disable nginx.service || true
  fi > /dev/null 2>&1
}

# --- ONNX Runtime -------------------------------------------------------------------------------------------

locked() {  # KIND NAME: "version sha256" for this machine
  awk -v kind="$1" -v name="$2" -v machine="$(dpkg --print-architecture)" \
    '$1 == kind && $2 == name && $4 == machine { print $3, $5 }' "$lock" | grep . ||
    fail "no $2 is pinned for $(dpkg --print-architecture) in tools/dependencies.lock"
}

# The system's Debian mirrors, one apt source a line ("deb [options] URI"), from both of apt's notations.
mirrors() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] || continue
    sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) +(bookworm|stable|oldstable) +(.* )?main\b.*/deb \1\2/p' "$file"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] || continue
    awk -v RS= -F '\n' '
      { delete field; name = ""
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^#/) continue
          if ($i ~ /^[ \t]/) { field[name] = field[name] " " $i; continue }
          name = tolower($i); sub(/:.*/, "", name)
          value = $i; sub(/^[^:]*:/, "", value); field[name] = value }
        if (tolower(field["enabled"]) ~ /no/ || field["types"] !~ /deb( |$)/) next
        if ((field["suites"] " ") !~ / (bookworm|stable|oldstable) /) next
        if ((field["components"] " ") !~ / main /) next
        # A key that stands in the file itself spans lines; the system keyring knows Debian anyway.
        key = field["signed-by"]; gsub(/ /, "", key)
        options = key ~ /^\/[^ ]*$/ ? "[signed-by=" key "] " : ""
        count = split(field["uris"], uris, " ")
        for (i = 1; i <= count; i++) print "deb " options uris[i] }' "$file"
  done
}

# apt with a state of its own: the system's lists, cache and hooks are not touched, its proxy settings are
# kept.
prepare_private_apt() {
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  {
    apt-config dump | grep -E '^Acquire::' | grep -v 'IndexTargets' || true
    cat <<CONFIG
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "";
CONFIG
  } > "$work/apt/apt.conf"
}

fetch_headers() {  # TARGET
  local version hash source
  read -r version hash <<< "$(locked deb libonnxruntime-dev)"
  prepare_private_apt
  while read -r source; do
    printf '%s trixie main\n' "$source" > "$work/apt/sources.list"
    say "fetching the headers of ONNX Runtime $version (Debian 13, libonnxruntime-dev)"
    APT_CONFIG="$work/apt/apt.conf" apt-get -qq update > "$work/apt/log" 2>&1 || continue
    (cd "$work" && APT_CONFIG="$work/apt/apt.conf" apt-get -qq download "libonnxruntime-dev=$version") \
      >> "$work/apt/log" 2>&1 || continue
    break
  done < <(mirrors | awk '!seen[$0]++')
  local package
  package=$(find "$work" -maxdepth 1 -name 'libonnxruntime-dev_*.deb' | head -1)
  if [ -z "$package" ]; then
    [ -s "$work/apt/log" ] && tail -5 "$work/apt/log" >&2
    fail "none of the Debian mirrors in /etc/apt gave libonnxruntime-dev $version of Debian 13"
  fi
  echo "$hash  $package" | sha256sum --quiet --check || fail "$(basename "$package") is not the pinned file"
  dpkg -x "$package" "$work/headers"
  cp -r "$work/headers/usr/include/onnxruntime" "$1/include"
}

fetch_library() {  # TARGET
  local version hash
  read -r version hash <<< "$(locked wheel onnxruntime)"
  say "fetching the library of ONNX Runtime $version (Python wheel)"
  printf 'onnxruntime==%s --hash=sha256:%s\n' "$version" "$hash" > "$work/requirements.txt"
  /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
    --platform "manylinux_2_28_$(uname -m)" --dest "$work" --requirement "$work/requirements.txt" ||
    fail "pip could not fetch onnxruntime $version"
  mkdir -p "$1/lib"
  /usr/bin/python3 -m zipfile -e "$work"/onnxruntime-*.whl "$work/wheel"
  install -m 755 "$work/wheel/onnxruntime/capi/libonnxruntime.so.$version" "$1/lib/"
  ln -s "libonnxruntime.so.$version" "$1/lib/libonnxruntime.so.1"
  ln -s "libonnxruntime.so.1" "$1/lib/libonnxruntime.so"
}

install_onnxruntime() {
  local target="$dependencies/onnxruntime"
  cmp -s "$lock" "$target/dependencies.lock" && return
  say "about to put ONNX Runtime into $target"
  mkdir -p "$dependencies" "$work/onnxruntime"
  fetch_headers "$work/onnxruntime"
  fetch_library "$work/onnxruntime"
  cp "$lock" "$work/onnxruntime/"
  rm -rf "$target"
  cp -r "$work/onnxruntime" "$target.new"
  mv "$target.new" "$target"
}

main() {
  local groups=("$@")
  [ ${#groups[@]} = 0 ] && groups=(build test lint bench fuzz)
  local group
  for group in "${groups[@]}"; do
    grep -qE "^$group " "$repository/tools/packages.txt" ||
      fail "there is no group '$group' (tools/packages.txt)"
  done
  (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ]) ||
    fail "this script knows Debian 12; on another system install what tools/packages.txt lists by hand"
  install_packages "${groups[@]}"
  if [[ " ${groups[*]} " == *" build "* ]]; then install_onnxruntime; fi
  say "everything is there (${groups[*]})"
}

main "$@"
