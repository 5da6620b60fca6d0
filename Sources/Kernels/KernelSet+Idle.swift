extension KernelSet {
    /// The same layout and name with kernels that do nothing: for dry runs, in which memory must not be accessed.
    public var idle: KernelSet { KernelSet(name, requires: requirement, layout: layout, integer: { _ in }) }
}
