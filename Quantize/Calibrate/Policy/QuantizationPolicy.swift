/// How a layer, or a quantization point that no layer reads, is brought to int8.
public struct QuantizationDecision: Equatable, Sendable {
    public enum Precision: String, Sendable, CaseIterable {
        case int8, float32
    }

    public var precision = Precision.int8
    /// Of the layer's input, or of the point; nil: whichever loses least.
    public var range: RangeMethod?
    /// Fraction of the spread between the input's channels that moves into the weights, 0...1; nil: whichever loses least.
    public var migration: Float?
    /// Nil: whichever loses least.
    public var rounding: RoundingMethod?

    public init(precision: Precision = .int8, range: RangeMethod? = nil, migration: Float? = nil, rounding: RoundingMethod? = nil) {
        self.precision = precision
        self.range = range
        self.migration = migration
        self.rounding = rounding
    }
}

extension QuantizationDecision: CustomStringConvertible {
    /// The word for a choice that is left open.
    static let open = "best"

    /// Precision, range, migration and rounding, as tables and model files have them.
    public var description: String {
        "\(precision.rawValue) \(range?.rawValue ?? Self.open) \(migration.map { "\($0)" } ?? Self.open) \(rounding?.rawValue ?? Self.open)"
    }
}

/// Which layers are brought to int8, and how: ordered rules, one for each group of layers, of which the first that fits decides.
///
/// What the kernels require (a scale for each channel before depthwise convolutions, one scale where activations are multiplied with each
/// other) is no policy; it follows from who reads a point (`QuantizationPoint.readers`).
public struct QuantizationPolicy: Equatable, Sendable {
    public struct Rule: Equatable, Sendable {
        /// A name, or the beginning of names with `*` behind it.
        public let pattern: String
        public let decision: QuantizationDecision

        public init(_ pattern: String, _ decision: QuantizationDecision) {
            self.pattern = pattern
            self.decision = decision
        }

        func fits(_ name: String) -> Bool {
            pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
        }
    }

    public var rules: [Rule]

    public init(_ rules: [Rule]) {
        self.rules = rules
    }

    /// Int8 but for the in-vocabulary classifier: a thousandth of the work, whose errors a temperature of 100 multiplies.
    public static let standard = QuantizationPolicy([
        Rule("mask_decoder.pool", QuantizationDecision(precision: .float32)),
        Rule("mask_decoder.class_embedding*", QuantizationDecision(precision: .float32)),
    ])

    /// For the layer `name`, or for the quantization point `name` where no layer reads it.
    public func decision(for name: String) -> QuantizationDecision {
        rules.first { $0.fits(name) }?.decision ?? QuantizationDecision()
    }

    /// A line for each rule, as a model file records a policy other than the standard one: the pattern and the decision.
    public var lines: [String] {
        rules.map { "\($0.pattern) \($0.decision)" }
    }
}
