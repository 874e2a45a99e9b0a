#!/usr/bin/env bash
# Installs what Fireline needs and is not there yet; quick when nothing is missing.
#
#   launcher/setup.sh           for `make demo` and `make run`
#   launcher/setup.sh --tests   also what the tests need
#
# Into the project: uv (.tools/) and the locked dependencies (.venv/). From Debian's or Ubuntu's packages, when the
# programs are not there: prometheus and redis-server; with --tests also chromium and postgresql. No service that
# these packages bring is started.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
OLDEST_UV=0.9.0
TESTS=${1:-}
# Behind a proxy that re-signs TLS, the system knows its certificate, and uv alone does not.
export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}

fail() {
    printf '\nFireline could not be set up.\n%s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Debian keeps PostgreSQL's server programs, and some users' PATH leaves sbin, out of reach.
has_postgres() { has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

missing_packages() {
    { has prometheus && has promtool; } || echo prometheus
    has redis-server || echo redis-server
    [ "$TESTS" = --tests ] || return 0
    has chromium || has chromium-browser || has google-chrome || echo chromium
    has_postgres || echo postgresql
}

# Prints the words that go before a command that only root may run. Fails when there is no way to become root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        echo env
    elif has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        echo sudo env
    else
        return 1
    fi
}

explain_packages() {
    fail "These programs are missing: $*.
$why
On Debian or Ubuntu, an administrator installs them with:
    apt-get install --no-install-recommends $*
On another system, install Prometheus (with promtool) and Redis so that they are on the PATH, and run this again.
Without installing anything, containers do it too (docker-compose.yml begins with what they need):
    docker compose --profile demo up"
}

install_packages() {
    local root installed
    if ! has apt-get; then
        why="This system has no apt-get to install them with." explain_packages "$@"
    fi
    root=$(as_root) || why="Installing them takes root or sudo, and neither is available here." explain_packages "$@"
    echo "Installing Debian packages: $*"
    installed=1
    without_services "$root" "$@" || installed=0
    [ $installed = 1 ] || why="apt-get could not install them; its message is above." explain_packages "$@"
}

# Debian's packages ask /usr/sbin/policy-rc.d whether their service may be started: a temporary one says no.
# One that the administrator wrote stays as it is.
without_services() {
    local root=$1 policy=/usr/sbin/policy-rc.d own=0 status=0
    shift
    local quiet="DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l"
    if [ ! -e "$policy" ]; then
        own=1
        # shellcheck disable=SC2064 (expanded now: the names are gone when the script ends)
        trap "$root rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
        $root chmod 755 "$policy"
    fi
    # shellcheck disable=SC2086 (the words are meant to be split)
    { $root $quiet apt-get install --yes --no-install-recommends "$@" ||
        { $root $quiet apt-get update && $root $quiet apt-get install --yes --no-install-recommends "$@"; }; } || status=1
    if [ $own = 1 ]; then
        $root rm -f "$policy"
        trap - EXIT
    fi
    [ $status = 0 ] && not_at_boot "$root" "$@"
    return $status
}

# A package that was just installed would have its service started at the next boot.
not_at_boot() {
    local root=$1 package
    shift
    has systemctl || return 0
    for package in "$@"; do
        [ "$package" = chromium ] || $root systemctl disable --quiet "$package" 2>/dev/null || true
    done
}

new_enough() { [ "$(printf '%s\n' "$OLDEST_UV" "$1" | sort -V | head -n 1)" = "$OLDEST_UV" ]; }

find_uv() {
    local candidate
    for candidate in "$(command -v uv || true)" .tools/bin/uv; do
        if [ -x "$candidate" ] && new_enough "$("$candidate" --version | cut -d' ' -f2)"; then
            echo "$candidate"
            return
        fi
    done
}

install_uv() {
    has python3 || fail "python3 is missing. On Debian or Ubuntu: apt-get install python3 python3-pip"
    python3 -m pip --version >/dev/null 2>&1 ||
        fail "pip is missing for $(command -v python3). On Debian or Ubuntu: apt-get install python3-pip"
    echo "Installing uv $UV_VERSION into .tools/" >&2
    rm -rf .tools
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target .tools \
        "uv==$UV_VERSION" >&2 ||
        fail "pip could not install uv; its message is above. Is the Python package index reachable?"
}

packages=$(missing_packages | tr '\n' ' ')
# shellcheck disable=SC2086 (one word a package)
[ -z "$packages" ] || install_packages ${packages% }
still=$(missing_packages | tr '\n' ' ')
[ -z "$still" ] || fail "Installed, but not found on the PATH: the programs of $still"

uv=$(find_uv)
if [ -z "$uv" ]; then
    install_uv
    uv=.tools/bin/uv
fi
# --inexact: setting up the demo must not take away what the tests need.
groups=(--no-group dev)
[ "$TESTS" != --tests ] || groups=()
"$uv" sync --locked --inexact --quiet ${groups[@]+"${groups[@]}"} ||
    fail "Python $(cat .python-version) or the locked dependencies could not be installed; uv's message is above.
uv takes a Python $(cat .python-version) that is on the PATH, and downloads one otherwise."
