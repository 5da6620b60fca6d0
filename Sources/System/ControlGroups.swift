import CSystem

/// Versions of Linux' control groups, whose files differ.
enum ControlGroupVersion {
    case first, second
}

/// Folders of the control groups that limit this process, its own first, then those above it; they end in a slash.
///
/// - Parameters:
///   - controller: the limited resource, as in `memory`.
///   - root: in front of `/proc` and `/sys`, for tests.
func controlGroups(of controller: String, root: String) -> [(version: ControlGroupVersion, folder: String)] {
    var folders: [(version: ControlGroupVersion, folder: String)] = []
    forEachLine(of: root + "/proc/self/cgroup") { line in
        // Hierarchy, controllers (none in version 2), path.
        let parts = line.split(separator: 0x3A, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return true }
        let isSecond = parts[1].isEmpty
        guard isSecond || parts[1].split(separator: 0x2C).contains(where: { $0.elementsEqual(controller.utf8) }) else { return true }
        let hierarchy = root + "/sys/fs/cgroup" + (isSecond ? "" : "/" + controller)
        var path: String? = String(decoding: parts[2], as: UTF8.self)
        while let group = path {
            folders.append((isSecond ? .second : .first, hierarchy + group + (group == "/" ? "" : "/")))
            path = parent(of: group)
        }
        return true
    }
    return folders
}

/// The parent group; nil for the root.
private func parent(of path: String) -> String? {
    let bytes = Array(path.utf8)
    guard bytes.count > 1, let slash = bytes.lastIndex(of: 0x2F) else { return nil }
    return slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self)
}
