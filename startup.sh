#!/usr/bin/env bash
# From a fresh clone to a running sage: checks what is missing, builds, shows what it does.
#
# Runs as often as you like: what is there already is left alone. Works with the bash 3.2 of macOS.
# Exit codes are those of sage (4: this machine lacks something), or 1 when a check of `test` fails.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

readonly EXIT_USAGE=2
readonly EXIT_ENVIRONMENT=4
readonly RUSTUP_COMMAND="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --component rustfmt --component clippy"

assume_yes=false

usage() {
  cat <<'USAGE'
Usage: ./startup.sh [--yes] [command]

  (no command)   check what is missing, build the release binary, run `sage doctor`, then `sage demo`
  test           check what is missing, then run every check and test of this repository
  help           show this text

  -y, --yes      install what is missing without asking; otherwise asks on a terminal,
                 and says exactly what to run where it cannot ask. Packages of the system
                 are installed without asking when this is run by root; a Rust toolchain never is.

Needed: a Rust toolchain, a C compiler, git, and python3 for the sample project of the demo;
for the tests also node with npm, and go: they work on projects in these languages.
USAGE
}

main() {
  local command=""
  local arg
  for arg in "$@"; do
    case "$arg" in
      -y | --yes) assume_yes=true ;;
      -h | --help | help) command=help ;;
      test | demo)
        [ -z "$command" ] || wrong_usage "only one command at a time"
        command="$arg"
        ;;
      *) wrong_usage "unknown argument: $arg" ;;
    esac
  done
  case "${command:-demo}" in
    help) usage ;;
    test)
      check_machine "$(missing_languages)"
      run_tests
      ;;
    demo)
      check_machine ""
      run_demo
      ;;
  esac
}

wrong_usage() {
  printf 'error: %s\n\n' "$1" >&2
  usage >&2
  exit "$EXIT_USAGE"
}

# ---- saying things ----

heading() {
  if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    printf '\033[1m== %s\033[0m\n' "$1"
  else
    printf '== %s\n' "$1"
  fi
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# Asks whether to run a command; the answer is no where nobody can be asked.
consent() {
  if [ "$assume_yes" = true ]; then
    return 0
  fi
  if [ ! -t 0 ] || [ ! -t 1 ] || [ "${CI:-}" = true ]; then
    return 1
  fi
  local answer=""
  printf '%s\n  %s\n[y/N] ' "Run this now?" "$1"
  read -r answer || return 1
  case "$answer" in
    y | Y | yes | Yes | YES) return 0 ;;
    *) return 1 ;;
  esac
}

# ---- what this machine has ----

# Makes sure of what every command needs, and of the further things in $1.
check_machine() {
  local packages=$1
  # The names are those of the things, package managers have their own for them.
  have git || packages="$packages git"
  has_c_compiler || packages="$packages c-compiler"
  if needs_python && ! has_python; then
    packages="$packages python"
  fi
  if ! has_rust && ! have rustup && ! have curl; then
    packages="$packages curl"
  fi
  if [ -n "$packages" ]; then
    install_packages "$packages"
  fi
  ensure_rust
}

# Compiling something tells more than the name of a command: on a bare macOS `cc` only opens a dialog,
# on a bare Debian it lacks the headers.
has_c_compiler() {
  if [ "$(uname -s)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; then
    return 1
  fi
  have "${CC:-cc}" || return 1
  local folder
  folder=$(mktemp -d)
  local works=0
  printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$folder/try.c"
  "${CC:-cc}" "$folder/try.c" -o "$folder/try" >/dev/null 2>&1 || works=1
  rm -rf "$folder"
  return "$works"
}

needs_python() {
  [ -n "$(find examples -name '*.py' 2>/dev/null)" ]
}

# The whole standard library: some systems split it up.
has_python() {
  python3 -c 'import unittest' >/dev/null 2>&1
}

# What the tests run real projects with, besides Rust and Python.
missing_languages() {
  # Node without npm counts as none: some systems split them up.
  { have node && have npm; } || printf ' node'
  have go || printf ' go'
}

# Where rustup puts things, which a shell that has not been restarted does not know yet.
find_cargo() {
  local bin="${CARGO_HOME:-${HOME:-}/.cargo}/bin"
  if ! have cargo && [ -x "$bin/cargo" ]; then
    PATH="$bin:$PATH"
    export PATH
  fi
}

wanted_rust() {
  sed -n 's/^rust-version *= *"\(.*\)"$/\1/p' Cargo.toml | head -n 1
}

has_rust() {
  find_cargo
  local version
  # Asking for the version must not make rustup download anything.
  version=$(RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null) || return 1
  RUSTUP_AUTO_INSTALL=0 cargo --version >/dev/null 2>&1 || return 1
  version=${version#rustc }
  is_at_least "${version%% *}" "$(wanted_rust)"
}

# Whether version $1 is $2 or newer, by major and minor number.
is_at_least() {
  local have_major have_minor want_major want_minor rest
  IFS=. read -r have_major have_minor rest <<<"$1."
  IFS=. read -r want_major want_minor rest <<<"$2."
  : "$rest"
  have_minor=${have_minor%%[!0-9]*}
  [ "$have_major" -gt "$want_major" ] ||
    { [ "$have_major" -eq "$want_major" ] && [ "${have_minor:-0}" -ge "${want_minor:-0}" ]; }
}

# ---- getting what is missing ----

install_packages() {
  local missing=$1
  local command
  command=$(install_command "$missing")
  heading "missing:$missing"
  if [ -z "$command" ]; then
    printf 'Install them with the package manager of this system, then run this again.\n'
    exit "$EXIT_ENVIRONMENT"
  fi
  local is_root=false
  [ "$(id -u)" -ne 0 ] || is_root=true
  case "$command" in
    brew* | xcode-select*) ;;
    *) [ "$is_root" = true ] || command="sudo $command" ;;
  esac
  if [ "$is_root" = true ]; then
    printf 'Installing: %s\n' "$command"
  elif ! { can_run "$command" && consent "$command"; }; then
    printf 'To install, run:\n  %s\nthen run this again (or let this script do it: ./startup.sh --yes).\n' "$command"
    exit "$EXIT_ENVIRONMENT"
  fi
  sh -c "$command"
}

# Whether the first word of a command exists: there may be no sudo.
can_run() {
  have "${1%% *}"
}

# The command that installs things, or nothing if the package manager is unknown.
install_command() {
  local missing=$1
  local names=""
  local thing
  if have apt-get; then
    for thing in $missing; do
      case "$thing" in
        c-compiler) names="$names gcc libc6-dev" ;;
        python) names="$names python3" ;;
        node) names="$names $(have node || printf 'nodejs ')npm" ;;
        go) names="$names golang-go" ;;
        curl) names="$names curl ca-certificates" ;;
        *) names="$names $thing" ;;
      esac
    done
    printf 'sh -c "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends%s"' "$names"
  elif have dnf; then
    printf 'dnf install -y%s' "$(translated "$missing" 'gcc glibc-devel' python3 'nodejs npm' golang)"
  elif have pacman; then
    printf 'pacman -S --needed --noconfirm%s' "$(translated "$missing" gcc python 'nodejs npm' go)"
  elif have apk; then
    printf 'apk add%s' "$(translated "$missing" 'gcc musl-dev' python3 'nodejs npm' go)"
  elif [ "$(uname -s)" = Darwin ]; then
    case "$missing" in
      *c-compiler* | *git*) printf 'xcode-select --install' ;;
      *) ! have brew || printf 'brew install%s' "$(translated "$missing" gcc python3 node go)" ;;
    esac
  fi
}

# Things by the names of a package manager: $2 for the C compiler, $3 for Python, $4 for Node with npm,
# $5 for Go.
translated() {
  local thing
  for thing in $1; do
    case "$thing" in
      c-compiler) printf ' %s' "$2" ;;
      python) printf ' %s' "$3" ;;
      node) printf ' %s' "$4" ;;
      go) printf ' %s' "$5" ;;
      *) printf ' %s' "$thing" ;;
    esac
  done
}

ensure_rust() {
  if has_rust; then
    return
  fi
  local command="$RUSTUP_COMMAND"
  if have rustup; then
    command="rustup toolchain install stable --profile minimal --component rustfmt --component clippy && rustup default stable"
  fi
  heading "missing: a Rust toolchain, $(wanted_rust) or newer"
  if ! consent "$command"; then
    printf 'To install one, run:\n  %s\nthen run this again (or let this script do it: ./startup.sh --yes).\n' "$command"
    exit "$EXIT_ENVIRONMENT"
  fi
  sh -c "$command"
  hash -r
  if ! has_rust; then
    printf 'error: there is still no rustc %s or newer in PATH (%s)\n' "$(wanted_rust)" "$(command -v rustc || echo none)" >&2
    exit "$EXIT_ENVIRONMENT"
  fi
}

# ---- the commands ----

run_demo() {
  heading "build"
  cargo build --release --locked --bin sage
  heading "sage doctor"
  local code=0
  target_sage doctor || code=$?
  if [ "$code" -ne 0 ]; then
    printf '\nsage doctor ended with code %s: see above for what to do next.\n' "$code" >&2
    exit "$code"
  fi
  heading "sage demo"
  target_sage demo
}

target_sage() {
  "${CARGO_TARGET_DIR:-target}/release/sage" "$@"
}

# Runs a check under a heading, with its time; the first that fails ends the run.
phase() {
  local name=$1
  shift
  local begun=$SECONDS
  heading "$name"
  local code=0
  "$@" || code=$?
  if [ "$code" -ne 0 ]; then
    heading "$name: failed after $((SECONDS - begun)) s"
    exit 1
  fi
  heading "$name: ok, $((SECONDS - begun)) s"
}

run_tests() {
  # Nothing waits for input.
  exec </dev/null
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    printf 'error: the Rust toolchain lacks rustfmt or clippy\n\nhint: rustup component add rustfmt clippy\n' >&2
    exit "$EXIT_ENVIRONMENT"
  fi
  local begun=$SECONDS
  phase "format" cargo fmt --all --check
  phase "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
  phase "layers and tidiness" cargo xtask layers tidy
  if have shellcheck; then
    phase "scripts" shellcheck startup.sh .ci/run
  fi
  phase "release build" cargo build --release --locked --bin sage
  if cargo nextest --version >/dev/null 2>&1; then
    phase "tests" cargo nextest run --workspace --locked --no-fail-fast
  else
    phase "tests" cargo test --workspace --locked --no-fail-fast --lib --bins --tests
  fi
  phase "doc tests" cargo test --workspace --locked --doc
  heading "everything passed, $((SECONDS - begun)) s"
}

main "$@"
