"""What an image may be written to: files, loop devices, and removable disks that nobody uses."""

import os
import stat

SYSTEM = ("/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "swap")


class Refusal(Exception):
    """A reason not to write, in one line."""


def take(arguments, option):
    """Takes an option and its value out of the arguments. Returns the value, or None."""
    if option not in arguments:
        return None
    place = arguments.index(option)
    if place + 1 == len(arguments):
        raise Refusal(f"{option} needs a value; see --help")
    value = arguments[place + 1]
    del arguments[place : place + 2]
    return value


def system_file(*parts):
    """The text of a file in /sys or /proc; empty if there is none."""
    try:
        with open(os.path.join(*parts)) as file:
            return file.read().strip()
    except OSError:
        return ""


def holders(name):
    """The disk `name` and its partitions, with what is stacked on each of them: names as in /sys/class/block."""
    found, waiting = [], [name]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.append(one)
        folder = f"/sys/class/block/{one}"
        waiting += [entry for entry in list_folder(folder) if os.path.exists(f"{folder}/{entry}/partition")]
        waiting += list_folder(f"{folder}/holders")
    return found


def list_folder(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def in_use(names, number_of):
    """Where one of these block devices is mounted or swapped to, or None. `number_of`: from a name to "major:minor"."""
    numbers = {number_of(name) for name in names}
    for line in system_file("/proc/self/mountinfo").splitlines():
        fields = line.split()
        if fields[2] in numbers or os.path.basename(fields[fields.index("-") + 2]) in names:
            return fields[4]
    for line in system_file("/proc/swaps").splitlines()[1:]:
        if os.path.basename(line.split()[0]) in names:
            return "swap"
    return None


def check(device, allowed):
    """Refuses devices that are in use, and disks that are not removable unless `allowed` names them.

    device: a path; it may name a file that is there, or a block device.
    allowed: the name given to --fixed-disk, or None.
    Returns the size in bytes.
    """
    try:
        status = os.stat(device)
    except OSError as error:
        raise Refusal(f"{device}: {error.strerror}") from None
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    if not stat.S_ISBLK(status.st_mode):
        raise Refusal(f"{device}: neither a block device nor a file")
    name = os.path.basename(os.path.realpath(device))
    if os.path.exists(f"/sys/class/block/{name}/partition"):
        disk = os.path.basename(os.path.dirname(os.path.realpath(f"/sys/class/block/{name}")))
        raise Refusal(f"{device}: a partition; an image is for the whole disk, /dev/{disk}")
    place = in_use(holders(name), lambda one: system_file("/sys/class/block", one, "dev"))
    if place:
        kind = (
            "the system's disk"
            if place in ("/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "swap")
            else "mounted"
        )
        raise Refusal(f"{device}: {kind} (in use at {place})")
    removable = system_file("/sys/class/block", name, "removable") == "1" or name.startswith(("loop", "mmcblk"))
    if not removable and allowed != device:
        raise Refusal(f"{device}: not removable; if it is the right one, add --fixed-disk {device}")
    return int(system_file("/sys/class/block", name, "size") or 0) * 512
