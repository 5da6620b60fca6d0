import System

extension Pickle {
    /// Keys under which training programs save the state dictionary, the likeliest first.
    private static let usual = ["model", "state_dict", "module", "model_state_dict"]
    /// `{"epoch": 3, "checkpoint": {"model": {...}}}` is the deepest nesting in use.
    private static let deepest = 3

    /// The tensors of the state dictionary, in its order: of the dictionary with the most named tensors, be it the pickle's own or one within it, where
    /// training programs put it beside optimizer, options and averages. Of several with as many, one under a usual key, else the first.
    ///
    /// - Throws: when there is none; with the keys that are there instead.
    func stateDictionary() throws(Fault) -> [(String, Tensor)] {
        guard let root = dictionary(result) else { throw Fault("\(path): holds no dictionary of tensors") }
        var best: [(String, Tensor)] = []
        var bestRank = Int.max
        var seen: Set<Int> = [root]
        var level = [(index: root, rank: -1)]
        for _ in 0..<Self.deepest {
            var next: [(index: Int, rank: Int)] = []
            for (index, rank) in level {
                let found = namedTensors(index)
                if found.count > best.count || (found.count == best.count && rank < bestRank) { (best, bestRank) = (found, rank) }
                for (key, value) in dictionaries[index] {
                    guard let inner = dictionary(value), seen.insert(inner).inserted else { continue }
                    let usual = if case .text(let name) = key { Self.usual.firstIndex(of: name) } else { Int?.none }
                    next.append((inner, usual ?? Self.usual.count))
                }
            }
            level = next
        }
        guard !best.isEmpty else {
            let keys = dictionaries[root].compactMap { if case .text(let name) = $0.key { abbreviated(name) } else { nil } }
            throw Fault(
                "\(path): holds no tensors by name; "
                    + (keys.isEmpty ? "it is empty" : "its keys are \(keys.prefix(8).joined(separator: ", "))\(keys.count > 8 ? ", ..." : "")"))
        }
        return best
    }

    private func dictionary(_ value: Value) -> Int? {
        switch value {
        case .dictionary(let index), .object(let index): index
        default: nil
        }
    }

    private func namedTensors(_ index: Int) -> [(String, Tensor)] {
        var list: [(String, Tensor)] = []
        for (key, value) in dictionaries[index] {
            if case .text(let name) = key, case .tensor(let tensor) = value { list.append((name, tensors[tensor])) }
        }
        return list
    }
}
