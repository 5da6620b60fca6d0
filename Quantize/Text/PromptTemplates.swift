import Foundation

/// The sentences that a name is put into; a name's embedding is the mean over them (FC-CLIP's, after ViLD by Gu et al. 2022).
public enum PromptTemplates {
    /// `{}` stands for the name. The missing full stops are upstream's.
    public static let all = [
        "a photo of a {}.",
        "This is a photo of a {}",
        "There is a {} in the scene",
        "There is the {} in the scene",
        "a photo of a {} in the scene",
        "a photo of a small {}.",
        "a photo of a medium {}.",
        "a photo of a large {}.",
        "This is a photo of a small {}.",
        "This is a photo of a medium {}.",
        "This is a photo of a large {}.",
        "There is a small {} in the scene.",
        "There is a medium {} in the scene.",
        "There is a large {} in the scene.",
    ]

    /// The prompts of a name, in the order of `all`.
    public static func prompts(for name: String) -> [String] {
        all.map { template in
            let parts = template.components(separatedBy: "{}")
            return parts[0] + name + parts[1]
        }
    }
}
