import System

extension Pickle {
    /// Modules within modules. CLIP's are nested seven deep.
    private static let deepestModule = 32
    /// Attributes of all modules, a shared module's counted wherever it is. OpenAI's largest CLIP has about ten thousand.
    private static let mostAttributes = 100_000
    /// Bytes of a tensor's name.
    private static let longestName = 1024

    /// The pickle's tensors by name, in its order: the attributes of a TorchScript program's modules, otherwise the state dictionary's items.
    /// - Throws: as `moduleTensors(_:)` and `stateDictionary()` do.
    func weights() throws(Fault) -> [(String, Tensor)] {
        if case .module(let root) = result { try moduleTensors(root) } else { try stateDictionary() }
    }

    /// The tensors in the attributes of the module `root` and of the modules within it. A name is the path of attributes that leads to the tensor, as in
    /// PyTorch's `state_dict()`: `visual.conv1.weight`. Attributes that are neither modules nor tensors are passed over.
    ///
    /// - Throws: when modules are nested too deeply, as those that contain themselves are, or when there are too many attributes, as when modules
    ///   are shared again and again.
    private func moduleTensors(_ root: Int) throws(Fault) -> [(String, Tensor)] {
        var list: [(String, Tensor)] = []
        var rest = Self.mostAttributes
        func collect(_ module: Int, _ prefix: String, depth: Int) throws(Fault) {
            guard depth < Self.deepestModule else {
                throw Fault("\(path): corrupt: modules are nested more than \(Self.deepestModule) deep, or one contains itself")
            }
            guard let attributes = modules[module] else { return }
            for (key, value) in dictionaries[attributes] {
                rest -= 1
                guard rest >= 0 else { throw Fault("\(path): corrupt: its modules have more than \(Self.mostAttributes) attributes") }
                guard case .text(let attribute) = key else { continue }
                switch value {
                case .tensor(let tensor): list.append((try join(prefix, attribute), tensors[tensor]))
                case .module(let inner): try collect(inner, try join(prefix, attribute) + ".", depth: depth + 1)
                default: break
                }
            }
        }
        try collect(root, "", depth: 0)
        return list
    }

    private func join(_ prefix: String, _ attribute: String) throws(Fault) -> String {
        guard prefix.utf8.count + attribute.utf8.count <= Self.longestName else {
            throw Fault("\(path): corrupt: a tensor's name is longer than \(Self.longestName) bytes")
        }
        return prefix + attribute
    }
}
