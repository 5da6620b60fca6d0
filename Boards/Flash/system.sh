# shellcheck shell=bash
# For `install` to source: the changes to a vendor's system that are not the program's own files. Uses its `ask`, `has`, `put`, `folder`, $work, $means.

# The service's own user, with the groups that own cameras and GPIO lines.
add_user() {
  local name number
  for name in passwd group shadow gshadow; do ask "cat /etc/$name" >"$work/$name"; done
  # A number of a system's user that nobody has.
  for number in $(seq 899 -1 200); do cut -d : -f 3 "$work/passwd" "$work/group" | grep -qx "$number" || break; done
  for name in video gpio; do
    grep -q "^$name:" "$work/group" || echo "$name:x:$((--number)):" >>"$work/group"
    sed -i "/^$name:/{s/[^:]\$/&,/; s/\$/fcclip-edge/}" "$work/group"
  done
  if ! grep -q '^fcclip-edge:' "$work/passwd"; then
    echo "fcclip-edge:x:$((--number)):$number:fcclip-edge:/var/lib/fcclip-edge:/usr/sbin/nologin" >>"$work/passwd"
    echo "fcclip-edge:x:$number:" >>"$work/group"
    echo 'fcclip-edge:!:19000::::::' >>"$work/shadow"
  fi
  put "$work/passwd" /etc/passwd
  put "$work/group" /etc/group
  put "$work/shadow" /etc/shadow 0600
  printf '[Service]\nUser=fcclip-edge\nSupplementaryGroups=video gpio\n' >"$work/user.conf"
  put "$work/user.conf" /etc/systemd/system/fcclip-edge.service.d/user.conf
  printf '%s\n' 'SUBSYSTEM=="video4linux", GROUP="video", MODE="0660"' 'SUBSYSTEM=="media", GROUP="video", MODE="0660"' \
    'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"' >"$work/rules"
  folder /etc/udev/rules.d
  put "$work/rules" /etc/udev/rules.d/60-fcclip-edge.rules
}

setting() { sed -n "s/^$1=//p" "$work/settings"; }
quoted() { python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"; }

# rpi-preseed.toml by the image's own means; $said tells what was done, and what was not.
add_settings() {
  local name keys
  awk -f "$here/../Appliance/root/lib/toml.awk" "$settings" >"$work/settings"
  said=$(sed -n 's/^error=//p' "$work/settings" | head -n 1)
  [ -z "$said" ] || fail "$settings: $said"
  name=$(setting system.hostname)
  [[ $name =~ ^[A-Za-z0-9-]*$ ]] || fail "$settings: system.hostname: not a name of a host"
  keys=$(setting ssh.authorized_keys)
  case $means in
    cloud-init) by_cloud_init ;;
    custom.toml) by_custom_toml ;;
    files) by_files ;;
  esac
}

# cloud-init's NoCloud: on Raspberry Pi OS in the boot partition, elsewhere in the root file system.
by_cloud_init() {
  local seed=/var/lib/cloud/seed/nocloud file key ssid
  ssid=$(setting wlan.ssid)
  printf 'instance-id: fcclip-edge-%s\n' "$(sha256sum <"$work/settings" | cut -c 1-12)" >"$work/meta-data"
  {
    echo '#cloud-config'
    [ -z "$name" ] || printf 'hostname: %s\npreserve_hostname: false\n' "$name"
    if [ -n "$keys" ]; then
      printf 'disable_root: false\nssh_pwauth: false\nusers:\n  - default\n  - name: root\n    lock_passwd: false\n    ssh_authorized_keys:\n'
      while read -r key; do echo "      - $(quoted "$key")"; done <<<"$keys"
      printf 'ssh_authorized_keys:\n'
      while read -r key; do echo "  - $(quoted "$key")"; done <<<"$keys"
    fi
  } >"$work/user-data"
  if [ -n "$ssid" ]; then
    printf 'network:\n  version: 2\n  ethernets:\n    all:\n      match: {name: "e*"}\n      dhcp4: true\n      optional: true\n  wifis:\n    wlan0:\n      dhcp4: true\n      optional: true\n      regulatory-domain: %s\n      access-points:\n        %s: {password: %s}\n' \
      "$(setting wlan.country)" "$(quoted "$ssid")" "$(quoted "$(setting wlan.password)")" >"$work/network-config"
  fi
  if has /usr/lib/raspberrypi-sys-mods && [ -n "$boot" ]; then
    for file in meta-data user-data network-config; do
      [ ! -f "$work/$file" ] || mcopy -o -i "$copy@@$boot" "$work/$file" ::
    done
  else
    folder $seed
    for file in meta-data user-data network-config; do
      [ ! -f "$work/$file" ] || put "$work/$file" "$seed/$file" 0600
    done
    printf 'datasource_list: [NoCloud, None]\n' >"$work/datasource"
    folder /etc/cloud/cloud.cfg.d
    put "$work/datasource" /etc/cloud/cloud.cfg.d/99-fcclip-edge.cfg
  fi
  said="cloud-init applies them at the first boot"
}

# Raspberry Pi OS (Bookworm) applies custom.toml of its boot partition at the first boot.
by_custom_toml() {
  local key list=''
  while read -r key; do [ -z "$key" ] || list+="${list:+, }$(quoted "$key")"; done <<<"$keys"
  {
    echo 'config_version = 1'
    [ -z "$name" ] || printf '[system]\nhostname = %s\n' "$(quoted "$name")"
    [ -z "$(setting user.name)" ] || printf '[user]\nname = %s\npassword = %s\npassword_encrypted = %s\n' "$(quoted "$(setting user.name)")" \
      "$(quoted "$(setting user.password)")" "$([ "$(setting user.password_encrypted)" = true ] && echo true || echo false)"
    [ -z "$list" ] || printf '[ssh]\nenabled = true\npassword_authentication = false\nauthorized_keys = [%s]\n' "$list"
    [ -z "$(setting wlan.ssid)" ] || printf '[wlan]\nssid = %s\npassword = %s\npassword_encrypted = false\nhidden = false\ncountry = %s\n' \
      "$(quoted "$(setting wlan.ssid)")" "$(quoted "$(setting wlan.password)")" "$(quoted "$(setting wlan.country)")"
  } >"$work/custom.toml"
  mcopy -o -i "$copy@@$boot" "$work/custom.toml" ::
  said="Raspberry Pi OS applies custom.toml at the first boot"
}

# A system without a first-boot program: its files.
by_files() {
  if [ -n "$name" ]; then
    echo "$name" >"$work/hostname"
    put "$work/hostname" /etc/hostname
  fi
  if [ -n "$keys" ]; then
    folder /root/.ssh
    printf 'sif /root/.ssh mode 040700\n' >>"$script"
    echo "$keys" >"$work/keys"
    put "$work/keys" /root/.ssh/authorized_keys 0600
  fi
  said="host name and root's SSH keys are in its files"
  [ -z "$(setting wlan.ssid)" ] || said+="; Wi-Fi is not set: this image has neither cloud-init nor custom.toml"
}
