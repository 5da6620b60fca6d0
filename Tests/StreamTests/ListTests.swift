import Capture
import Foundation
import Imaging
import TestSupport
import Testing

@Suite struct ListTests {
    @Test func picturesFoldersAndLists() throws {
        let folder = try TemporaryFolder()
        for name in ["b.jpg", "a.PNG", "note.md"] { _ = try folder.file(name, [1]) }
        #expect(try PictureList(path: folder.path("b.jpg")).paths == [folder.path("b.jpg")])
        #expect(try PictureList(path: folder.path("b.jpg")).isSingle)
        #expect(try PictureList(path: folder.path).paths == [folder.path("a.PNG"), folder.path("b.jpg")])
        let list = try folder.file("list.txt", Array("b.jpg\r\n\n/elsewhere/c.jpg\nsub/d.png".utf8))
        #expect(try PictureList(path: list).paths == [folder.path("b.jpg"), "/elsewhere/c.jpg", folder.path("sub/d.png")])
        #expect(try !PictureList(path: list).isSingle)
        let marked = try folder.file("marked.txt", [0xEF, 0xBB, 0xBF] + Array("b.jpg\rc.jpg".utf8))
        #expect(try PictureList(path: marked).paths == [folder.path("b.jpg"), folder.path("c.jpg")])
        let wide = try folder.file("wide.txt", "b.jpg\n".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        #expect(faultMessage { _ = try PictureList(path: wide) } == "\(wide): not UTF-8 text but UTF-16 or no text at all")
        let empty = try folder.file("empty.txt", [10, 13, 10])
        #expect(faultMessage { _ = try PictureList(path: empty) } == "\(empty): names no picture")
        #expect(faultMessage { _ = try PictureList(path: folder.path("absent.txt")) } == "\(folder.path("absent.txt")): No such file or directory")
    }

    /// A name that is not UTF-8 affects only its own picture.
    @Test func namesThatAreNotUTF8() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("a.jpg", [1])
        let path = Array(folder.path.utf8CString.dropLast()) + [0x2F, 0x63, CChar(bitPattern: 0xE9), 0x2E, 0x6A, 0x70, 0x67, 0]
        let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
        #expect(descriptor >= 0)
        close(descriptor)
        let list = try PictureList(path: folder.path)
        #expect(list.paths == [folder.path("a.jpg")] && list.faults.map(\.message) == ["\(folder.path)/c\\xE9.jpg: the name is not UTF-8; rename the file"])
        let named = try PictureList(path: try folder.file("list.txt", [0xE9, 0x0A] + Array("a.jpg\n".utf8)))
        #expect(named.paths == [folder.path("a.jpg")] && named.faults.map(\.message) == ["\(folder.path)/\\xE9: the name is not UTF-8; rename the file"])
    }
}
