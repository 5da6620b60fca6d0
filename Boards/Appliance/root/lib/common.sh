# shellcheck shell=sh
# For the appliance's scripts to source.

# Says something on the console and in /run/log.
say() {
  echo "appliance: $*" >>/run/log
  echo "appliance: $*" >/dev/console
}

# settings NAME: the values of a key of rpi-preseed.toml, as in `settings ssh.authorized_keys`, one a line.
settings() { sed -n "s/^$1=//p" /run/settings 2>/dev/null; }
setting() { settings "$1" | head -n 1; }
