# shellcheck shell=bash
# Debian's packages without installing them, for Boards' scripts to source. Gives them:
#   fail       ends a script with a message
#   $cache     the cache folder, shared by all checkouts
#   $refresh   set to fetch again what is there
#   $kernel    the package that names the newest kernel; default: linux-image-arm64
#   $non_free  set for packages of Debian's component non-free-firmware too

cache=${FCCLIP_EDGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fcclip-edge}

fail() { echo "Boards/${0##*Boards/}: $*" >&2; exit 1; }

# fetch_packages FOLDER TIDY PACKAGE...
# Unpacks arm64 packages into $cache/FOLDER and lists their names, versions and SHA-256 in $cache/FOLDER.txt; does nothing if they are there.
# TIDY (a function, given the new folder) changes them before anybody sees them. In names, KERNEL stands for the newest kernel's version; `:amd64`
# at their end asks for another architecture.
fetch_packages() {
  local folder=$1 tidy=$2 name
  shift 2
  # Two scripts may start at once: the second waits here for the end of the first.
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  has_packages "$folder" "$@" || download_packages "$folder" "$tidy" "$@"
}

# Whether FOLDER holds these packages and no others. With $refresh set it does not.
has_packages() {
  local list=$cache/$1.txt name
  shift
  [ -z "${refresh:-}" ] && [ -f "$list" ] && [ "$(grep -c . "$list")" = $# ] || return 1
  for name; do
    name=${name%:*}
    grep -q "^${name//KERNEL/[0-9][^ ]*} " "$list" || return 1
  done
}

download_packages() {
  local folder=$1 tidy=$2 work option name version deb
  shift 2
  for name in apt-get dpkg-deb; do
    command -v $name >/dev/null || fail "$name is missing: packages are Debian's"
  done
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"/{state/lists/partial,cache/archives/partial,debs,root}
  : >"$work/status"
  # The machine's own sources, keys and proxies, with private lists and caches, seen as an arm64 machine.
  # A list of its own for Architectures keeps the host's package lists out.
  option=(-qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=
          -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
          -o Acquire::Languages=none -o Acquire::Retries=3)
  for name; do
    case $name in *:*) option+=(-o "APT::Architectures::=${name#*:}") ;; esac
  done
  echo "Fetching Debian's arm64 packages for $folder..." >&2
  # Sources that have nothing for arm64 may fail here; what matters is that the download below succeeds.
  apt-get "${option[@]}" update >&2 || echo "Boards/${0##*Boards/}: some apt sources could not be read" >&2
  [ -z "${non_free:-}" ] || add_non_free "$work" || fail "apt could not read Debian's non-free-firmware (is this Debian 12 with its sources configured?)"
  if [[ $* == *KERNEL* ]]; then
    version=$(apt-cache "${option[@]}" show --no-all-versions "${kernel:-linux-image-arm64}" | sed -n 's/^Depends: linux-image-\([^ ]*\)-arm64 .*/\1/p')
    [ -n "$version" ] || fail "apt knows no ${kernel:-linux-image-arm64} (is this Debian 12 with its sources configured?)"
    set -- "${@//KERNEL/$version}"
  fi
  # Download checks the signed lists' SHA-256 of every package.
  (cd "$work/debs" && apt-get "${option[@]}" download "$@" >&2) ||
    fail "apt could not download: $* (is this Debian 12 with its sources configured?)"
  for deb in "$work"/debs/*.deb; do
    dpkg-deb -x "$deb" "$work/root"
    printf '%s %s %s\n' "$(dpkg-deb -f "$deb" Package)" "$(dpkg-deb -f "$deb" Version)" "$(sha256sum <"$deb" | cut -d' ' -f1)"
  done | sort >"$work/packages.txt"
  $tidy "$work/root"

  rm -rf "${cache:?}/$folder"
  mv "$work/root" "$cache/$folder"
  mv "$work/packages.txt" "$cache/$folder.txt"
  rm -rf "$work"
  trap - EXIT
}

# Adds the component to a copy of the machine's sources: from the same server and with Debian's key, as apt checks it. Of download_packages.
add_non_free() {
  local server
  # shellcheck disable=SC2016  # apt's own
  server=$(apt-get "${option[@]}" indextargets 'Created-By: Packages' 'Codename: bookworm' 'Component: main' --format '$(REPO_URI)' | head -n 1)
  [ -n "$server" ] || return 1
  cat /etc/apt/sources.list >"$1/sources.list" 2>/dev/null || true
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $server bookworm non-free-firmware" >>"$1/sources.list"
  option+=(-o "Dir::Etc::SourceList=$1/sources.list")
  apt-get "${option[@]}" update >&2
}
