import Camera
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
        let empty = try folder.file("empty.txt", [10, 13, 10])
        #expect(faultMessage { _ = try PictureList(path: empty) } == "\(empty): names no picture")
        #expect(faultMessage { _ = try PictureList(path: folder.path("absent.txt")) } == "\(folder.path("absent.txt")): No such file or directory")
    }
}
