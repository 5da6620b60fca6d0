/// A list of fixed capacity in an arithmetic's scratch memory, which it does not own. Elements are of trivial types:
/// they are never deinitialised.
struct ScratchList<Element> {
    let base: UnsafeMutablePointer<Element>
    let capacity: Int
    private(set) var count = 0

    init(_ base: UnsafeMutablePointer<Element>, capacity: Int) {
        self.base = base
        self.capacity = capacity
    }

    subscript(index: Int) -> Element {
        get { base[index] }
        nonmutating set { base[index] = newValue }
    }

    /// - Precondition: `count < capacity`.
    mutating func append(_ element: Element) {
        precondition(count < capacity)
        (base + count).initialize(to: element)
        count += 1
    }

    /// Becomes `count` times `element`. - Precondition: `count <= capacity`.
    mutating func fill(_ element: Element, count: Int) {
        precondition(count <= capacity)
        base.initialize(repeating: element, count: count)
        self.count = count
    }

    /// Inserts before the element at `index`. At full capacity the last element is lost.
    mutating func insert(_ element: Element, at index: Int) {
        if count < capacity { count += 1 }
        for position in stride(from: count - 1, to: index, by: -1) { base[position] = base[position - 1] }
        (base + index).initialize(to: element)
    }
}

extension Arithmetic {
    func list<Element>(of type: Element.Type, capacity: Int) -> ScratchList<Element> {
        ScratchList(scratch(type, count: capacity), capacity: capacity)
    }

    func list<Element>(repeating element: Element, count: Int) -> ScratchList<Element> {
        var list = list(of: Element.self, capacity: count)
        compute { list.fill(element, count: count) }
        return list
    }
}
