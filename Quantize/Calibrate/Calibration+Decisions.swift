import Kernels
import Network
import Runtime

extension Calibration {
    public typealias Point = FloatArithmetic.QuantizationPoint
    public typealias Layer = FloatArithmetic.Layer

    /// A point is treated as the first layer that reads it; one that no layer reads has a decision of its own.
    private func decision(_ point: Point) -> QuantizationDecision {
        policy.decision(for: point.consumers.first?.name ?? point.name)
    }

    /// Whether the values at `point` stay in float32, and with them all layers that read it: when one of these does.
    func isFloat(_ point: Point) -> Bool {
        decision(point).precision == .float32 || point.consumers.contains { policy.decision(for: $0.name).precision == .float32 }
    }

    /// Scales of `point`; nil where its values stay in float32.
    public func scales(_ point: Point) -> QuantizationParameters? {
        if let chosen = chosenScales[point.name] { return chosen }
        guard !isFloat(point) else {
            for layer in point.consumers { decisions[layer.name] = QuantizationDecision(precision: .float32) }
            return nil
        }
        let chosen = chooseScales(point)
        chosenScales[point.name] = chosen
        return chosen
    }

    private func chooseScales(_ point: Point) -> QuantizationParameters? {
        if case .stem = point.readers { return .pixels }
        guard let observer = observers[point.name], let heldOut = heldOutObservers[point.name], !observer.isEmpty else { return nil }
        let wanted = decision(point)
        let methods = wanted.range.map { [$0] } ?? RangeMethod.allCases
        let fitted = observer.distributions()
        switch point.readers {
        case .noProduct, .stem: return nil
        case .depthwise, .kernel:
            if let chosen = chooseOperands(point, methods) { return chosen }
            // Errors of these inputs are as good as independent, and what reads them multiplies all alike.
            let judged = heldOut.isEmpty ? fitted : heldOut.distributions()
            let method = least(methods) { method in
                let parameters = direct(point, fitted, method)
                return judged.enumerated().reduce(0) { $0 + $1.element.error(step: parameters.scale($1.offset), zeroPoint: parameters.zeroPoint) }
            }
            return record(point, QuantizationDecision(range: method), direct(point, allDistributions(point), method))
        case .linear:
            let readers = weightsReading(point)
            func steps(_ channels: [Distribution], _ method: RangeMethod) -> QuantizationParameters.Fitted {
                QuantizationParameters.steps(channels, method, gains: readers.squares, pool: arithmetic.pool)
            }
            let trials = trials(point)
            func cost(_ steps: QuantizationParameters.Fitted, _ migration: Float) -> Double {
                self.cost(.balanced(steps, migration: migration, weights: readers.largest), trials)
            }
            let migrations: [Float] = wanted.migration.map { [$0] } ?? [0.5, 0.75, 1]
            let method = least(methods) { cost(steps(fitted, $0), migrations[0]) }
            let own = steps(fitted, method)
            let migration = least(migrations) { cost(own, $0) }
            return record(
                point, QuantizationDecision(range: method, migration: migration),
                .balanced(steps(allDistributions(point), method), migration: migration, weights: readers.largest))
        }
    }

    /// Of the held-out pictures too. Methods cannot be compared on them from then on.
    private func allDistributions(_ point: Point) -> [Distribution] {
        guard let observer = observers[point.name] else { return [] }
        if let heldOut = heldOutObservers.removeValue(forKey: point.name) { observer.add(heldOut) }
        return observer.distributions()
    }

    /// The candidate of the least cost, which is computed only where there is a choice.
    private func least<Candidate>(_ candidates: [Candidate], _ cost: (Candidate) -> Double) -> Candidate {
        guard candidates.count > 1 else { return candidates[0] }
        return candidates.map { ($0, cost($0)) }.min { $0.1 < $1.1 }!.0
    }

    /// Makes `decision` that on `point`. - Returns: `parameters`.
    private func record(_ point: Point, _ decision: QuantizationDecision, _ parameters: QuantizationParameters) -> QuantizationParameters {
        for name in point.consumers.map(\.name) + [point.name] { decisions[name] = decision }
        return parameters
    }

    /// Scales of a point that no linear layer reads.
    private func direct(_ point: Point, _ channels: [Distribution], _ method: RangeMethod) -> QuantizationParameters {
        if case .kernel(let symmetric) = point.readers { return .common(channels, method, symmetric: symmetric) }
        return .separate(channels, method)
    }

    private func trials(_ point: Point) -> [LayerTrial] {
        point.consumers.compactMap { layer in
            samples[layer.name].flatMap { $0.heldOut.rows > 0 ? LayerTrial(layer, $0.heldOut, pool: arithmetic.pool) : nil }
        }
    }

    /// What `parameters` change in the results of the layers of `trials`, with weights to the nearest step.
    private func cost(_ parameters: QuantizationParameters, _ trials: [LayerTrial]) -> Double {
        trials.reduce(0) { sum, trial in
            sum + trial.noise(quantized(trial.layer, input: parameters, NearestRounding(), steps: nil), trial.steps(parameters), withMeans: false)
        }
    }

    /// The two points whose values are multiplied with each other, and what their names begin with, where `point` is one of them.
    private func operands(_ point: Point) -> (name: String, left: Point, right: Point)? {
        for (left, right) in [("queries", "keys"), ("mask_embeddings", "features")] where point.name.hasSuffix("." + left) || point.name.hasSuffix("." + right)
        {
            let name = String(point.name.dropLast(point.name.hasSuffix("." + left) ? left.count : right.count))
            guard let first = arithmetic.points.first(where: { $0.name == name + left }),
                let second = arithmetic.points.first(where: { $0.name == name + right })
            else { return nil }
            return (name, first, second)
        }
        return nil
    }

    /// The scales of both operands of a product together: those that change the attention map, or the mask logits, least on the held-out
    /// pictures. - Returns: those of `point`; nil where it is none of these operands, or another than `best` is wanted.
    private func chooseOperands(_ point: Point, _ methods: [RangeMethod]) -> QuantizationParameters? {
        guard methods.count > 1, let pair = operands(point), let samples = products[pair.name], decision(pair.left).range == nil,
            decision(pair.right).range == nil
        else { return nil }
        func candidates(_ point: Point, _ values: KeyPath<ProductSample, [Float]>) -> [(method: RangeMethod, values: [[Float]])] {
            let channels = observers[point.name]?.distributions() ?? []
            return methods.map { method in
                let parameters = direct(point, channels, method)
                return (method, samples.map { parameters.applied(to: $0[keyPath: values], channels: $0.width) })
            }
        }
        var best = (cost: Double.infinity, left: methods[0], right: methods[0])
        let rights = candidates(pair.right, \.right)
        for left in candidates(pair.left, \.left) {
            for right in rights {
                let cost = samples.indices.reduce(0.0) { $0 + samples[$1].noise(left: left.values[$1], right: right.values[$1]) }
                if cost < best.cost { best = (cost, left.method, right.method) }
            }
        }
        guard best.cost.isFinite else { return nil }
        for (own, chosen) in [(pair.left, best.left), (pair.right, best.right)] {
            chosenScales[own.name] = record(own, QuantizationDecision(range: chosen), direct(own, allDistributions(own), chosen))
        }
        return chosenScales[point.name]
    }

    /// Largest magnitude and sum of squares of the weights that read each channel of `point`.
    private func weightsReading(_ point: Point) -> (largest: [Float], squares: [Double]) {
        var largest = [Float](repeating: 0, count: point.channels)
        var squares = [Double](repeating: 0, count: point.channels)
        for layer in point.consumers {
            layer.parameters.weights.withUnsafeBufferPointer { weights in
                var channel = 0
                for weight in weights {
                    largest[channel] = max(largest[channel], abs(weight))
                    squares[channel] += Double(weight * weight)
                    channel = channel + 1 == point.channels ? 0 : channel + 1
                }
            }
        }
        return (largest, squares)
    }

    /// A line for each layer, and for each point that no layer reads, with what was decided: rules of a table.
    var decisionLines: [String] {
        var seen: Set<String> = []
        return (arithmetic.layers.map(\.name) + arithmetic.points.filter { $0.consumers.isEmpty }.map(\.name)).compactMap { name in
            guard let decision = decisions[name], seen.insert(name).inserted else { return nil }
            return "\(name) \(decision)"
        }
    }

    // MARK: - Layers

    /// Decides scales and int8 weights of the whole network. - Parameter progress: gets the fraction done, 0...1, by the work it takes.
    public func decide(progress: (Double) -> Void) {
        // Products with rows of samples, and for rounding the factor of a covariance.
        func work(_ layer: Layer) -> (scales: Double, weights: Double) {
            let (columns, depth) = (Double(layer.parameters.columns), Double(layer.parameters.depth))
            let rows = Double(samples[layer.name]?.heldOut.rows ?? 0)
            return (columns * depth * 6 * rows + 1e6, depth * (depth * (2 * rows + depth / 3 + columns) + columns * 6 * rows) + 1e6)
        }
        let all = arithmetic.layers.map(work)
        let total = all.reduce(0.0) { $0 + $1.scales + $1.weights }
        var done = 0.0
        for point in arithmetic.points {
            _ = scales(point)
            done += point.consumers.reduce(0) { $0 + work($1).scales }
            progress(done / total)
        }
        for (layer, work) in zip(arithmetic.layers, all) {
            if let input = scales(layer.input) { quantizedLayers[layer.name] = quantized(layer, input: input) }
            done += work.weights
            progress(min(done / total, 0.999))
        }
        progress(1)
    }

    /// Layers and points that become int8 together, by their names in tables, in network order.
    var int8Groups: [[String]] {
        var groups: [[String]] = []
        var taken: Set<String> = []
        for point in arithmetic.points where chosenScales[point.name] != nil && !taken.contains(point.name) {
            var names = point.consumers.map(\.name)
            if names.isEmpty {
                let pair = operands(point)
                names = pair.map { [$0.left.name, $0.right.name] } ?? [point.name]
                // Queries, keys and values are read by one kernel.
                if let name = pair?.name, let values = arithmetic.points.first(where: { $0.name == name + "values" }) { names.append(values.name) }
            }
            taken.formUnion(names)
            groups.append(names)
        }
        return groups
    }

    /// The network with `names`, layers and points of `int8Groups`, in int8.
    func simulation(of names: [String]) -> FloatArithmetic.Simulation {
        var simulation = FloatArithmetic.Simulation()
        let wanted = Set(names)
        for layer in arithmetic.layers where wanted.contains(layer.name) {
            guard let quantized = quantizedLayers[layer.name], let input = chosenScales[layer.input.name] else { continue }
            simulation.layers[layer.name] = SimulatedLayer(quantized, of: layer, input: input)
        }
        for point in arithmetic.points where point.consumers.isEmpty && wanted.contains(point.name) { simulation.points[point.name] = chosenScales[point.name] }
        return simulation
    }

    /// Leaves `names`, layers and points of `int8Groups`, in float32.
    public func leaveInFloat(_ names: [String]) {
        let float = QuantizationDecision(precision: .float32)
        policy.rules.insert(contentsOf: names.map { QuantizationPolicy.Rule($0, float) }, at: 0)
        for name in names {
            decisions[name] = float
            quantizedLayers[name] = nil
        }
        for point in arithmetic.points where isFloat(point) { chosenScales[point.name] = nil }
    }

    private func quantized(_ layer: Layer, input: QuantizationParameters, _ rounding: any WeightRounding, steps: InputSteps?) -> QuantizedLayer {
        QuantizedLayer(
            layer.role == .stem ? layer.parameters.readingPixels() : layer.parameters, isDepthwise: layer.role == .depthwise, channels: layer.input.channels,
            input: input, rounding, steps: steps, arithmetic.pool)
    }

    /// `layer` in int8, by the rounding that the policy names, or else by the one of the least error on the held-out rows; likewise with its
    /// bias corrected or not.
    func quantized(_ layer: Layer, input: QuantizationParameters) -> QuantizedLayer {
        let wanted = policy.decision(for: layer.name).rounding
        let methods = wanted.map { [$0] } ?? (samples[layer.name] == nil ? [.meanSquare] : RoundingMethod.allCases)
        let means = observers[layer.input.name].flatMap { $0.isEmpty ? nil : $0.means }
        var errors: [Double] = []
        let steps: InputSteps? = samples[layer.name]?.fitted.withRows { rows in
            guard rows.rows > 0 else { return nil }
            let steps = InputSteps(rows, channels: layer.input.channels, input, pool: arithmetic.pool)
            errors = steps.meanErrors(rows)
            return steps
        }
        let candidates = methods.flatMap { method in
            let plain = quantized(layer, input: input, method.rounding, steps: steps)
            return [(method, plain)] + (means.map { [(method, plain.correctingBias(of: layer, input: input, means: $0, errors: errors))] } ?? [])
        }
        var best: (RoundingMethod, QuantizedLayer)?
        if let rows = samples[layer.name]?.heldOut, rows.rows > 0 {
            let trial = LayerTrial(layer, rows, pool: arithmetic.pool)
            let steps = trial.steps(input)
            best = candidates.map { ($0, trial.noise($0.1, steps, withMeans: true)) }.min { $0.1 < $1.1 }!.0
        }
        let chosen = best ?? candidates[candidates.count - 1]
        decisions[layer.name, default: QuantizationDecision()].rounding = chosen.0
        return chosen.1
    }
}
