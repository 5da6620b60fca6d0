import Imaging
import System

/// The paths of the files that a sink writes, one for each picture.
public enum OutputPaths {
    /// A single picture's file.
    case file(String)
    /// A folder, where `street.jpg` becomes `street.jpg.png`: pictures that differ in their ending only stay apart.
    case folder(String, ending: StaticString)
    /// A folder of a stream's pictures.
    case series(PictureSeries)

    /// The path for a result of `picture`.
    public func path(of picture: String, frame: SegmentsRecord.Frame? = nil) -> String {
        switch self {
        case .file(let path): path
        case .folder(let folder, let ending): "\(folder)/\(folderAndName(picture).name)\(ending)"
        case .series(let series): series.path(capturedAt: frame?.capturedAt ?? 0, number: frame?.number ?? 0)
        }
    }

    /// Writes the file of `result`, which gets its path. Afterwards a series drops its oldest files.
    func write(_ result: SinkResult, _ body: (String) throws(Fault) -> Void) throws(Fault) {
        try body(path(of: result.picture, frame: result.frame))
        if case .series(let series) = self, let frame = result.frame { series.written(capturedAt: frame.capturedAt, number: frame.number) }
    }
}
