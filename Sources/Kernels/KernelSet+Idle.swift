extension KernelSet {
    /// Kernels that do nothing, in this set's layout: for counting the memory that the steps around them take.
    public var idle: KernelSet {
        KernelSet(
            name: name, requirement: requirement, layout: layout, product: { _, _, _, _, _, _, _, _, _, _ in },
            depthwise7x7: { _, _, _, _, _, _, _ in }, float: { _ in }, peak: peak)
    }
}
