# Debian packages, for the set-up scripts: source it from the repository's root after defining `fail`.
# shellcheck shell=bash

# Prints those of the named packages that are not installed, one a line.
missing_packages() {
    local -A status=()
    local package state
    while read -r package state; do status[$package]="$state"; done \
        < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do [ "${status[$package]:-}" = installed ] || echo "$package"; done
}

# Installs those of the named packages that are missing, and only looks when none is.
# Words before `--` are a command that apt-get runs under.
install_packages() {
    local around=() missing=() root=()
    command -v dpkg-query >/dev/null || fail "This set-up knows Debian 12 and its packages; this system has no dpkg."
    while [ "$1" != -- ]; do
        around+=("$1")
        shift
    done
    shift
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0

    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            fail "These Debian packages are missing: ${missing[*]}" \
                "Install them, then run this again:  sudo ${around[*]+${around[*]} }apt-get install --no-install-recommends ${missing[*]}"
        fi
        root=(sudo -n)
    fi
    say "installing Debian packages: ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${around[@]}" apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null </dev/null \
        || fail "apt-get could not install: ${missing[*]}" "Its messages above say why; Debian 12 has them all."
}
