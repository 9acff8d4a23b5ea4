#!/bin/sh
# Installs Debian packages, named as arguments, without letting any of them start a daemon.
# Runs as root. Whatever /usr/sbin/policy-rc.d was there before is put back.
# POLICY_FILE: that file, elsewhere.
set -eu

policy=${POLICY_FILE:-/usr/sbin/policy-rc.d}
kept=
if [ -e "$policy" ]; then
    kept=$(mktemp)
    cp -p "$policy" "$kept"
fi
restore() {
    if [ -n "$kept" ]; then
        cp -p "$kept" "$policy"
        rm -f "$kept"
    else
        rm -f "$policy"
    fi
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
# Another apt may be at work, and a mirror may not answer.
bounds="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=30"
install() {
    apt-get install $bounds -y -q --no-install-recommends "$@"
}
# The package lists of a fresh machine are empty or old: fetch them once if the first try fails.
if ! install "$@"; then
    apt-get update $bounds -q
    install "$@"
fi

# A later start of the machine must not bring them up either.
if [ -d /run/systemd/system ]; then
    for package in "$@"; do
        systemctl disable --now "$package.service" 2>/dev/null || true
    done
fi
