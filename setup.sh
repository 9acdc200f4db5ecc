#!/usr/bin/env bash
# Makes sure that this machine has what exgnet needs to build and run: a GPU adapter
# that wgpu can open (Vulkan, Metal or DX12), a C linker, and cargo.
# Where all is there it changes nothing. Run it with --help for more.
set -euo pipefail

# Lavapipe, Mesa's Vulkan driver for the CPU, runs compute shaders several times slower
# before this major version.
GOOD_MESA=24
# ldconfig lives in /sbin, which is not on everybody's PATH; rustup's folder may not be either.
PATH="$PATH:/usr/sbin:/sbin:${HOME:-}/.cargo/bin"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

usage() {
  cat <<'END'
Usage: ./setup.sh [--help]

Checks for a usable Vulkan, Metal or DX12 adapter, a C linker and cargo.
On Debian, Ubuntu and their derivatives it installs what is missing with apt (Mesa's
drivers, among them the CPU driver lavapipe, so that no GPU is needed). On Debian releases
with an old Mesa it takes Mesa from the backports suite of the mirror already in use.
On other Linux systems it names the packages to install. Running it again is harmless.
END
}

# --- What is there -------------------------------------------------------------------

# find_library NAME: prints the path of a shared library; fails where there is none.
find_library() {
  local path dir
  path=$(ldconfig -p 2>/dev/null | sed -n "s|^[[:space:]]*$1 .*=> ||p" | head -n 1) || true
  if [ -n "$path" ] && [ -e "$path" ]; then echo "$path"; return 0; fi
  # musl systems keep no ldconfig cache.
  for dir in /usr/lib/"$(uname -m)"-linux-gnu /usr/lib64 /usr/lib /usr/local/lib /lib64 /lib; do
    if [ -e "$dir/$1" ]; then echo "$dir/$1"; return 0; fi
  done
  return 1
}

# Every Vulkan driver manifest that the loader would read, one path a line.
list_manifests() {
  local dir file given="${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}}"
  if [ -n "$given" ]; then
    printf '%s\n' "$given" | tr ':' '\n'
    return 0
  fi
  for dir in /usr/share /etc /usr/local/share "${XDG_DATA_HOME:-${HOME:-}/.local/share}"; do
    for file in "$dir"/vulkan/icd.d/*.json; do
      if [ -e "$file" ]; then echo "$file"; fi
    done
  done
}

# manifest_library FILE: prints the path of the driver that a manifest names; fails where the
# manifest is of another architecture, or the driver or a library it needs is not there.
manifest_library() {
  local lib
  case "$(uname -m):$1" in x86_64:*.i[36]86.json) return 1 ;; esac
  lib=$(sed -n 's/.*"library_path"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$1" 2>/dev/null |
    head -n 1) || true
  case "$lib" in
    '') return 1 ;;
    /*) ;;
    */*) lib="$(dirname "$1")/$lib" ;;
    *) lib=$(find_library "$lib") || return 1 ;;
  esac
  [ -e "$lib" ] || return 1
  # In a container a vendor's driver is often there without the libraries it needs.
  if ldd "$lib" 2>/dev/null | grep -q 'not found'; then return 1; fi
  echo "$lib"
}

# A driver for hardware is of use only with a device node that this user may open.
has_gpu_device() {
  local node
  for node in /dev/dri/renderD* /dev/nvidiactl /dev/dxg /dev/kgsl-3d0 /dev/mali0; do
    if [ -r "$node" ] && [ -w "$node" ]; then return 0; fi
  done
  return 1
}

# Sets ADAPTER to one line on the adapter found ('' for none) and ADAPTER_KIND to hardware or
# software.
find_adapter() {
  local file
  ADAPTER='' ADAPTER_KIND=''
  case "$(uname -s)" in
    Darwin) ADAPTER=Metal ADAPTER_KIND=hardware; return 0 ;;
    MINGW* | MSYS* | CYGWIN*) ADAPTER=DX12 ADAPTER_KIND=hardware; return 0 ;;
  esac
  find_library libvulkan.so.1 >/dev/null || return 0
  while read -r file; do
    manifest_library "$file" >/dev/null || continue
    case "${file##*/}" in
      *lvp* | *lavapipe* | *swiftshader*)
        ADAPTER="Vulkan on the CPU (${file##*/}$(mesa_note))" ADAPTER_KIND=software ;;
      *)
        has_gpu_device || continue
        ADAPTER="Vulkan (${file##*/})" ADAPTER_KIND=hardware
        return 0 ;;
    esac
  done <<<"$(list_manifests)"
}

# The installed version of Debian's driver package, '' where there is none or no dpkg.
mesa_version() {
  dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null || true
}

mesa_note() {
  local version
  version=$(mesa_version)
  if [ -n "$version" ]; then echo ", Mesa $version"; fi
}

# Is the only adapter a CPU driver from an old Mesa?
is_slow() {
  local major
  [ "$ADAPTER_KIND" = software ] || return 1
  major=$(mesa_version | sed 's/^[0-9]*://; s/[^0-9].*//')
  [ -n "$major" ] && [ "$major" -lt "$GOOD_MESA" ]
}

has_linker() { command -v cc >/dev/null || command -v gcc >/dev/null; }

# os_release FIELD
os_release() {
  # shellcheck source=/dev/null
  (. /etc/os-release 2>/dev/null && eval "printf '%s' \"\${$1:-}\"") || true
}

# --- Debian, Ubuntu and derivatives --------------------------------------------------

# as_root COMMAND...: runs it as root, through sudo where need be.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }

# Some other source on the machine may be out of reach; the install shows whether that matters.
apt_update() { apt update || say 'apt-get update had errors; going on'; }

apt_install() { apt install -y --no-install-recommends "$@" >/dev/null; }

# base_source CODENAME [APT OPTION...]: prints "URI KEYRING" of the machine's own source of a
# release's main packages. apt itself says which entry of which file that is, in either of the two
# formats, but not its keyring (there may be none), so that is read from the file.
base_source() {
  local codename=$1 uri entry file
  shift
  # shellcheck disable=SC2016 # apt fills these fields in
  read -r uri entry <<<"$(apt-get "$@" indextargets --format '$(REPO_URI) $(SOURCESENTRY)' \
    'Created-By: Packages' "Release: $codename" 'Component: main' | head -n 1)" || true
  [ -n "$uri" ] || return 1
  file=${entry%:*}
  case "$file" in
    *.sources) echo "$uri $(deb822_keyring "$codename" "$file")" ;;
    *) echo "$uri $(sed -n "${entry##*:}s/.*\[.*signed-by=\([^] ]*\).*/\1/p" "$file")" ;;
  esac
}

# deb822_keyring SUITE FILE: prints Signed-By of the file's entry for that suite.
deb822_keyring() {
  sed '/^#/d' "$2" | awk -v suite="$1" '
    BEGIN { RS = ""; FS = "\n" }
    {
      key = ""; found = 0
      for (i = 1; i <= NF; i++) {
        line = $i
        if (line ~ /^Suites:/ && (line " ") ~ ("[: \t]" suite "[ \t]")) found = 1
        if (sub(/^Signed-By:[ \t]*/, "", line)) key = line
      }
      if (found) { print key; exit }
    }'
}

# backports_source CODENAME URI [KEYRING]: prints the backports suite of that mirror as a source.
backports_source() {
  printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$2" "$1"
  if [ -n "${3:-}" ]; then printf 'Signed-By: %s\n' "$3"; fi
}

# Installs the Vulkan packages from Debian's backports. Fails, with the machine's sources as they
# were, where they can't be had.
install_from_backports() {
  local codename uri keyring added=''
  codename=$(os_release VERSION_CODENAME)
  [ -n "$codename" ] || return 1
  # The machine may have the suite already.
  if [ -z "$(base_source "$codename-backports")" ]; then
    read -r uri keyring <<<"$(base_source "$codename")" || true
    [ -n "$uri" ] || return 1
    added=/etc/apt/sources.list.d/exgnet-backports.sources
    backports_source "$codename" "$uri" "$keyring" | as_root tee "$added" >/dev/null
    apt_update
  fi
  if apt_install -t "$codename-backports" libvulkan1 mesa-vulkan-drivers; then return 0; fi
  if [ -n "$added" ]; then
    as_root rm -f "$added"
    apt_update
  fi
  return 1
}

# The major version of Mesa that the machine's own sources offer, 0 where unknown.
offered_mesa() {
  local major
  major=$(apt-cache policy mesa-vulkan-drivers 2>/dev/null |
    sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}\([0-9][0-9]*\).*/\2/p') || true
  echo "${major:-0}"
}

install_vulkan() {
  if [ "$(os_release ID)" = debian ] && [ "$(offered_mesa)" -lt "$GOOD_MESA" ]; then
    say 'installing Vulkan packages from backports'
    if install_from_backports; then return 0; fi
    say "no newer Mesa to be had from backports: the release's own works, but its compute is slower"
  fi
  say "installing the release's own Vulkan packages"
  apt_install libvulkan1 mesa-vulkan-drivers
}

setup_debian() {
  local need=''
  if [ -z "$ADAPTER" ]; then need='libvulkan1 mesa-vulkan-drivers'; fi
  if ! has_linker; then need="${need:+$need }gcc libc6-dev"; fi
  if [ -n "$need" ] && ! can_be_root; then
    die "run this as root: apt-get update && apt-get install -y --no-install-recommends $need"
  fi
  apt_update
  if ! has_linker; then
    say 'installing a C linker'
    apt_install gcc libc6-dev
  fi
  if [ -z "$ADAPTER" ]; then install_vulkan; fi
}

# A faster driver is no condition: where it can't be had without asking, the old one stays.
upgrade_debian() {
  if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
    say "upgrading Mesa $(mesa_version), whose CPU driver is slow"
    apt_update
    install_vulkan || true
  fi
}

# --- Others --------------------------------------------------------------------------

advise() {
  case " $(os_release ID) $(os_release ID_LIKE) " in
    *' fedora '* | *' rhel '* | *' centos '*)
      die 'install these packages: vulkan-loader mesa-vulkan-drivers gcc' ;;
    *' arch '*) die 'install these packages: vulkan-icd-loader vulkan-swrast gcc' ;;
    *' alpine '*) die 'install these packages: vulkan-loader mesa-vulkan-swrast build-base' ;;
    *' suse '* | *' opensuse '*) die 'install these packages: libvulkan1 libvulkan_lvp gcc' ;;
    *) die "install a Vulkan loader, a Vulkan driver (Mesa's lavapipe where there is no GPU) and gcc" ;;
  esac
}

main() {
  case "${1:-}" in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac

  local is_linux='' is_debian=''
  case "$(uname -s)" in Linux) is_linux=1 ;; esac
  case " $(os_release ID) $(os_release ID_LIKE) " in *' debian '* | *' ubuntu '*) is_debian=1 ;; esac

  find_adapter
  if [ -z "$ADAPTER" ] || { [ -n "$is_linux" ] && ! has_linker; }; then
    if [ -n "$is_debian" ]; then setup_debian; else advise; fi
  elif [ "$(os_release ID)" = debian ] && is_slow; then
    upgrade_debian
  fi

  find_adapter
  [ -n "$ADAPTER" ] ||
    die 'still no usable adapter (if VK_DRIVER_FILES or VK_ICD_FILENAMES is set, unset it)'
  say "usable adapter: $ADAPTER"
  if is_slow; then say "this Mesa works, but one of version $GOOD_MESA or later is several times faster"; fi
  command -v cargo >/dev/null || die 'no cargo here: install Rust with rustup, then run this again'
}

# Sourcing the file gives its functions alone.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
