import CHash
import System

extension Checkpoint {
    /// Which CLIP this is: XXH3-64 over the fp32 bytes of its text projection, then of its logit scale, as 16 hexadecimal digits.
    ///
    /// Two CLIPs share neither. A model and a vocabulary made from the same CLIP carry the same fingerprint, whatever the container
    /// and whichever head was trained on it. - Throws: when one of the two tensors is missing.
    public func clipFingerprint() throws(Fault) -> String {
        let values = try tensor(UpstreamNames.textProjection).floats() + tensor(UpstreamNames.clipLogitScale).floats()
        return hexadecimal(values.withUnsafeBytes { hash_xxh3($0.baseAddress, $0.count) })
    }
}
