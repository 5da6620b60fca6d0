import Kernels
import ModelFormat
import System

/// CLIP's image encoder: RGB8 pixels to four maps of strides 4, 8, 16 and 32, one row a pixel.
enum Backbone<A: Arithmetic> {
    case convNeXt(ConvNeXt<A>)
    case resNet(ResNet<A>)

    /// Looks up the parameters of the backbone that `architecture` names. - Throws: when one is missing or has the
    /// wrong shape.
    init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        switch architecture.backbone {
        case .convNeXt: self = .convNeXt(try ConvNeXt(arithmetic, architecture))
        case .resNet: self = .resNet(try ResNet(arithmetic, architecture))
        }
    }

    /// Size of the map after stage `stage` (0...3) for a padded input.
    static func size(stage: Int, of padded: Size) -> Size {
        Size(height: padded.height >> (stage + 2), width: padded.width >> (stage + 2))
    }

    /// Channels of the stem's result, which has one row for each pixel of the padded input / 4; nil where the first stage works in place on it.
    var separateStemChannels: Int? {
        switch self {
        case .convNeXt: nil
        case .resNet(let backbone): backbone.stemChannels
        }
    }

    /// The layers before the first stage: RGB8 `pixels` of `size` to `result`.
    func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, into result: Matrix) {
        switch self {
        case .convNeXt(let backbone): backbone.stem(pixels, size: size, padded: padded, into: result)
        case .resNet(let backbone): backbone.stem(pixels, size: size, padded: padded, into: result)
        }
    }

    /// Stage `index` (0...3): `previous`, the stem's result or the map before, to `map` of `size`.
    func stage(_ index: Int, from previous: Matrix, map: Matrix, size: Size) {
        switch self {
        case .convNeXt(let backbone): backbone.stage(index, from: previous, map: map, size: size)
        case .resNet(let backbone): backbone.stage(index, from: previous, map: map, size: size)
        }
    }
}
