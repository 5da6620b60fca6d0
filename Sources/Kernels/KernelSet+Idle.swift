extension KernelSet {
    /// The same layout and name with kernels that do nothing: for dry runs, whose memory cannot be touched.
    public var idle: KernelSet { KernelSet(name, requires: requirement, layout: layout, integer: { _ in }) }
}
