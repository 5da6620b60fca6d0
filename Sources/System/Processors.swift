import CSystem

/// The number of processors that this program may use: those that its threads may run on (`taskset`, a container's set), limited by the
/// processor time of its control groups, rounded up. At least 1.
///
/// - Parameter root: in front of `/proc` and `/sys`, for tests.
public func processorCount(root: String = "") -> Int {
    var count = Int(system_allowed_processors())
    if count < 1 { count = max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1) }
    for (version, folder) in controlGroups(of: "cpu", root: root) {
        let quota =
            switch version {
            case .first: numbers(in: folder + "cpu.cfs_quota_us") + numbers(in: folder + "cpu.cfs_period_us")
            // The first word is "max" if there is no limit.
            case .second: numbers(in: folder + "cpu.max")
            }
        guard quota.count == 2, case (let time, let period) = (quota[0], quota[1]), time > 0, period > 0 else { continue }
        count = min(count, (time + period - 1) / period)
    }
    return count
}
