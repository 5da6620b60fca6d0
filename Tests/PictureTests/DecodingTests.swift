import Board
import Camera
import Kernels
import TestSupport
import Testing

@Suite struct DecodingTests {
    struct Expected: Decodable {
        struct Entry: Decodable {
            let size: [Int]
            let hash: String
        }
        let pictures: [String: Entry]
    }

    @Test func pixelsEqualPillows() throws {
        let expected = try table("decoded.json", as: Expected.self).pictures
        #expect(expected.count == 32)
        for (name, entry) in expected {
            let picture = try Picture.read(path: Fixture.path("pictures/" + name))
            #expect([picture.size.height, picture.size.width] == entry.size, "\(name)")
            #expect(hash(picture) == entry.hash, "\(name)")
            #expect(picture.warning == nil, "\(name)")
        }
    }

    @Test func orientationOfPNG() throws {
        let upright = try decode(pictureFixture("rgb.png")), turned = try decode(pictureFixture("orientation_6.png"))
        #expect(upright.size == Size(height: 37, width: 53))
        #expect(hash(upright) == hash(turned))
    }

    @Test(arguments: 1...8) func orientationIsTheInverseOfHowItWasStored(_ orientation: Int) throws {
        // Lossy, so near: the same upright picture, stored in eight ways.
        let picture = try decode(pictureFixture("orientation_\(orientation).jpg")), upright = try decode(pictureFixture("rgb.png"))
        #expect(picture.size == upright.size)
        var difference = 0
        for index in 0..<picture.byteCount { difference += abs(Int(picture.pixels[index]) - Int(upright.pixels[index])) }
        #expect(difference < picture.byteCount * 4)
    }

    @Test func folderIsSortedByName() throws {
        let folder = try TemporaryFolder()
        for name in ["b.JPG", "a.png", "C.jpeg", "notes.txt", ".hidden.jpg", "jpg"] { _ = try folder.file(name, [0]) }
        let paths = try PictureFolder(path: folder.path).paths
        #expect(paths == ["C.jpeg", "a.png", "b.JPG"].map { folder.path($0) })
        #expect(try PictureFolder(path: folder.path + "/").paths == paths)
        #expect(PictureFolder.isFolder(folder.path))
        #expect(!PictureFolder.isFolder(folder.path("a.png")))
    }

    @Test func emptyOrAbsentFolderIsAFault() throws {
        let folder = try TemporaryFolder()
        #expect(faultMessage { _ = try PictureFolder(path: folder.path) } == "\(folder.path): no .jpg, .jpeg or .png file in this folder")
        #expect(faultMessage { _ = try PictureFolder(path: folder.path("absent")) } == "\(folder.path("absent")): No such file or directory")
    }
}
