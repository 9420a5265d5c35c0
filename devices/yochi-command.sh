#!/bin/sh
# `yochi` with the log, bundles, base model and trusted keys of the service. Root becomes the service's user, so
# that it can write what is made; but not to say whom the box trusts, which that user must not.
export XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache XDG_CONFIG_HOME=/etc
if [ "$(id -u)" -eq 0 ] && [ "${1:-} ${2:-}" != "bundle trust" ]; then
	exec runuser -u yochi -- /opt/yochi/.venv/bin/yochi "$@"
fi
exec /opt/yochi/.venv/bin/yochi "$@"
