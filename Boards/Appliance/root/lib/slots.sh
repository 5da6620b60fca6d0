# shellcheck shell=sh
# The card's two slots, each a folder with a version of program, model, vocabulary and options.
#
# SLOT/manifest is complete or does not hold: its last line is the SHA-256 of those before, which are "serial NUMBER", "version NAME", and a SHA-256 for
# each file. The newest slot has the largest serial. Empty files beside it are marks: `trial`: written by an update and not healthy yet; `tried`: started once
# since then.
slots='a b'

manifest() { echo "/card/$1/manifest"; }
serial() { sed -n 's/^serial \([0-9][0-9]*\)$/\1/p' "$(manifest "$1")" 2>/dev/null; }
version() { sed -n 's/^version //p' "$(manifest "$1")" 2>/dev/null; }
other() { case $1 in a) echo b ;; *) echo a ;; esac; }

# Whether a slot is whole; sets $why if not.
holds() {
  why="has no manifest"
  [ -s "$(manifest "$1")" ] || return 1
  why="has a damaged manifest"
  [ "$(sed '$d' "$(manifest "$1")" | sha256sum | cut -c 1-64)" = "$(sed -n '$p' "$(manifest "$1")")" ] && [ -n "$(serial "$1")" ] || return 1
  sums=$(cd "/card/$1" && sed -n '/^[0-9a-f]\{64\}  /p' manifest | sha256sum -c 2>/dev/null) && [ -n "$sums" ] && return
  why="has a damaged or missing file: $(echo "$sums" | sed -n 's/: [^ ]*FAILED.*//p' | head -n 1)"
  return 1
}

# Prints the slots that hold, best first: the newest; an update that was started once and did not become healthy comes last. Says what is wrong.
choose() {
  good='' last=''
  for slot in $slots; do
    if ! holds "$slot"; then
      say "slot $slot $why"
    elif [ -e "/card/$slot/trial" ] && [ -e "/card/$slot/tried" ]; then
      say "slot $slot, version $(version "$slot"), was not healthy when it was tried"
      last="$last $slot"
    elif [ -n "$good" ] && [ "$(serial "$slot")" -gt "$(serial "$good")" ]; then
      good="$slot $good"
    else
      good="${good:+$good }$slot"
    fi
  done
  echo "$good$last"
}

# The only places where the card is mounted for writing.
write_card() { mount -o remount,rw /card; }
close_card() { sync && mount -o remount,ro /card; }
