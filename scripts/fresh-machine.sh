#!/usr/bin/env bash
# Runs the README's two commands on a fresh Debian 12 and says how long each took: debootstrap into a temporary folder, a clone
# of this repository's last commit in it, an ordinary user with sudo, entered by pivot_root in namespaces of its own (in a
# chroot the kernel refuses user namespaces, and the lab needs them). Only what the scripts install exists inside.
#
#   scripts/fresh-machine.sh [--limit 900] [--user ordinary|root] [--keep] [--command 'CMD'...]
#
#   --limit SECONDS   a command that takes longer has failed (default 900; downloads included)
#   --user root       runs the commands as root instead of through an ordinary user
#   --command CMD     runs this instead of the README's commands (may be repeated), in the clone
#   --keep            leaves the folder for a look (default: removed, whatever happens)
#
# The mirror, the suites and proxies come from this machine's own apt configuration and are written nowhere else.
# Needs root (or sudo), debootstrap and 5 GB under TMPDIR.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit=900
user=ordinary
keep=no
commands=()
arguments=("$@")
while (($#)); do
  case $1 in
    --limit | --user | --command)
      (($# > 1)) || die "$1 needs a value"
      case $1 in
        --limit) limit=$2 ;;
        --user) user=$2 ;;
        --command) commands+=("$2") ;;
      esac
      shift
      ;;
    --keep) keep=yes ;;
    -h | --help)
      sed -n '2,14s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) die "unknown option '$1'; known: --limit, --user, --command, --keep, --help" ;;
  esac
  shift
done
[[ $limit =~ ^[1-9][0-9]*$ ]] || die "--limit takes whole seconds, not '$limit'"
[[ $user == ordinary || $user == root ]] || die "--user takes 'ordinary' or 'root', not '$user'"
if ((EUID != 0)); then
  command -v sudo >/dev/null || die "fresh-machine needs root: debootstrap and pivot_root do"
  exec sudo --preserve-env=TMPDIR,http_proxy,https_proxy,no_proxy "$root/scripts/fresh-machine.sh" "${arguments[@]}"
fi

if ((${#commands[@]} == 0)); then
  # The first block of commands in the README is the contract with its reader: run those, as they stand there.
  mapfile -t commands < <(awk '/^```sh$/ {block = 1; next} /^```$/ && block {exit} block && /^scripts\// {sub(/ *#.*/, ""); print}' README.md)
  ((${#commands[@]} == 2)) || die "README.md: the first block of commands should have two lines that begin with scripts/, it has ${#commands[@]}"
fi

scripts/packages.sh --only deep
git diff --quiet HEAD 2>/dev/null || say "uncommitted changes are not in the clone: the last commit is what runs"

# Lines "URI suite component" of Debian 12 itself; third-party sources stay outside.
sources=$(apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
  awk '$1 == "Packages" && ($2 == "Debian" || $2 == "$(ORIGIN)") && $4 ~ /^bookworm(-updates|-security)?$/ && $5 == "main" {print $3, $4, $5}' |
  sort -u)
mirror=$(awk '$2 == "bookworm" {print $1; exit}' <<<"$sources")
[[ -n $mirror ]] || die "this machine's apt configuration names no Debian 12 (bookworm) mirror"

tree=$(mktemp -d "${TMPDIR:-/tmp}/lockstep-fresh.XXXXXX")
inside=
clean_up() {
  local status=$?
  trap - EXIT INT TERM HUP
  if [[ -n $inside ]] && kill -KILL "$inside" 2>/dev/null; then wait "$inside" 2>/dev/null || true; fi
  rm -f "$tree.log"
  if [[ $keep == yes ]]; then
    say "kept: $tree"
  else
    # Every mount was made in the private namespace and died with it; --one-file-system is for the day that this is wrong.
    rm -rf --one-file-system "$tree"
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "debootstrap: Debian 12, minbase"
begin=$SECONDS
# In namespaces of its own: it mounts /proc in the tree and starts helpers, and would leave both behind if it were stopped.
setpriv --pdeathsig KILL unshare --mount --pid --mount-proc --fork --kill-child=KILL \
  debootstrap --variant=minbase --include=sudo,ca-certificates bookworm "$tree" "$mirror" >"$tree.log" 2>&1 </dev/null &
inside=$!
wait "$inside" || { tail -n 20 "$tree.log"; die "debootstrap failed" 3; }
inside=
chmod 755 "$tree"  # mktemp makes it private, but it becomes the root folder of an ordinary user
say "debootstrap took $((SECONDS - begin)) s"

sed 's/^/deb /' <<<"$sources" >"$tree/etc/apt/sources.list"
proxies=$(apt-config dump | grep -iE '^Acquire::[a-z]+::(proxy|proxy::[^ ]+|cainfo) ' || true)
[[ -z $proxies ]] || printf '%s\n' "$proxies" >"$tree/etc/apt/apt.conf.d/90machine"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
cp /etc/hosts "$tree/etc/hosts"
# Certificates that this machine's administrator added: a mirror or proxy may need them.
if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
  cp /usr/local/share/ca-certificates/*.crt "$tree/usr/local/share/ca-certificates/"
  chroot "$tree" update-ca-certificates >/dev/null 2>&1 || true
fi
# No service is started inside.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod +x "$tree/usr/sbin/policy-rc.d"

home=/root
if [[ $user == ordinary ]]; then
  home=/home/tester
  chroot "$tree" useradd --create-home --shell /bin/bash tester
  echo 'tester ALL=(ALL) NOPASSWD: ALL' >"$tree/etc/sudoers.d/tester"
  chmod 440 "$tree/etc/sudoers.d/tester"
fi
git -c safe.directory='*' clone --quiet --no-hardlinks "file://$root" "$tree$home/lockstep"
[[ $user == root ]] || chroot "$tree" chown -R tester:tester "$home/lockstep"

# Runs inside the namespaces, still in the old root; becomes the command in the new one.
enter='
set -e
tree=$1 user=$2 home=$3 command=$4
mount --make-rprivate /
mount --bind "$tree" "$tree"
cd "$tree"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
hostname fresh
grep -qw fresh etc/hosts || echo 127.0.1.1 fresh >>etc/hosts
mkdir -p .old-root
pivot_root . .old-root
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd /
umount -l /.old-root
rmdir /.old-root
set -- env -i PATH="$PATH" HOME="$home" LANG=C.UTF-8 TERM=dumb CI=true
if [ "$user" = ordinary ]; then
  set -- setpriv --reuid tester --regid tester --init-groups "$@" USER=tester LOGNAME=tester
fi
cd "$home/lockstep"
# This shell stays as the first process of the namespace: it is the one that dies with its parent.
code=0
"$@" bash -c "$command" </dev/null || code=$?
exit "$code"
'
status=0
report=()
for command in "${commands[@]}"; do
  say "fresh machine, ${user} user: $command"
  begin=$SECONDS
  code=0
  # Each dies with its parent, the last one being the first process of a PID namespace: whatever ends us, be it kill -9, ends
  # everything inside. In the background, so that a signal is answered at once.
  setpriv --pdeathsig KILL timeout --signal KILL "$limit" setpriv --pdeathsig KILL \
    unshare --mount --uts --ipc --pid --fork --kill-child=KILL bash -c "$enter" _ "$tree" "$user" "$home" "$command" &
  inside=$!
  wait "$inside" || code=$?
  inside=
  took=$((SECONDS - begin))
  verdict="exit code $code"
  ((code != 137 || took < limit)) || verdict="stopped at the limit of $limit s"
  ((code == 0 || status != 0)) || status=1
  report+=("$(printf '%5d s  %-24s %s' "$took" "$verdict" "$command")")
  say "took $took s, $verdict"
done
printf '\nfresh machine (Debian 12, %s user, %s cores, commit %s):\n' "$user" "$(nproc)" "$(git -c safe.directory='*' rev-parse --short HEAD)"
printf '%s\n' "${report[@]}"
exit "$status"
