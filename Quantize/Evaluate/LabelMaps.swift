import Foundation
import Imaging
import Kernels
import System

/// A data set of pictures and, for each, a grey PNG whose values are classes, as in ADE20K and Cityscapes; the README shows their layouts.
///
/// Pictures and maps belong together by their place below the two folders and their name, less what the endings add.
public struct LabelMaps: Dataset {
    public let path: String
    public let pictures: [String]
    public let categories: [DatasetCategory]
    public let measures: Set<Measure> = [.intersectionOverUnion]
    private let maps: [String]

    public var files: [String] { pictures + maps }

    public func announcedSizes(of index: Int) throws(Fault) -> [(source: String, size: Size)] {
        [(maps[index], try Picture.size(path: maps[index]))]
    }

    /// - Parameters:
    ///   - pictures: folder of the pictures; subfolders are searched.
    ///   - maps: folder of the label maps, laid out alike.
    ///   - ending: what a picture's name ends in, `.jpg` or `_leftImg8bit.png`.
    ///   - mapEnding: what takes its place in the map's name, `.png` or `_gtFine_labelIds.png`.
    ///   - categories: what the values mean; a pixel of any other value is void.
    /// - Throws: when a folder cannot be read, holds no such picture, or lacks a picture's map.
    public init(pictures: String, maps: String, ending: String, mapEnding: String, categories: [DatasetCategory]) throws(Fault) {
        guard let walk = FileManager.default.enumerator(atPath: pictures) else { throw Fault("\(pictures): cannot be read") }
        let names = walk.compactMap { $0 as? String }.filter { $0.hasSuffix(ending) && $0.count > ending.count }.sorted()
        guard !names.isEmpty else { throw Fault("\(pictures): no file in this folder ends in \(ending)") }
        path = maps
        self.pictures = names.map { pictures + "/" + $0 }
        self.maps = names.map { maps + "/" + $0.dropLast(ending.count) + mapEnding }
        self.categories = categories
        if let absent = self.maps.first(where: { !FileManager.default.fileExists(atPath: $0) }) { throw Fault("\(absent): absent") }
    }

    public func truth(_ index: Int, size: Size, matching: ClassMatching) throws(Fault) -> GroundTruth {
        let map = try AnnotationMap.read(maps[index], form: .grey, size: size)
        let table = (0..<256).map { Int32(matching.ofCategory[$0] ?? -1) }
        return GroundTruth(semantic: map.withPixels { pixels in (0..<size.area).map { table[Int(pixels[$0 * 3])] } })
    }
}
