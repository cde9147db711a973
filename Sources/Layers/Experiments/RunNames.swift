import Basics

/// Names for runs that were given none: an adjective, an animal and a number, such as `brisk-heron-412`.
enum RunNames {
    private static let adjectives = [
        "able", "amber", "bold", "brisk", "calm", "clear", "cool", "deft", "eager", "fair", "fleet", "fond", "glad",
        "grand", "keen", "kind", "light", "lively", "lucid", "mellow", "merry", "neat", "nimble", "noble", "plain",
        "proud", "quick", "quiet", "rapid", "ready", "rich", "serene", "sharp", "silent", "smart", "steady", "still",
        "sunny", "swift", "tidy", "vivid", "warm", "wise", "witty",
    ]
    private static let animals = [
        "ant", "auk", "bat", "bear", "bee", "boar", "carp", "cat", "colt", "crane", "crow", "deer", "dove", "duck",
        "eel", "elk", "finch", "fox", "frog", "gnu", "goat", "gull", "hare", "hawk", "hen", "heron", "ibis", "jay",
        "kite", "lark", "lynx", "mole", "moth", "newt", "otter", "owl", "perch", "pike", "rook", "seal", "shrew",
        "skua", "snipe", "stoat", "swan", "tern", "toad", "trout", "vole", "wren",
    ]

    static func name(from random: any RandomSource) -> String {
        func pick(_ words: [String]) -> String {
            let index = Int(random.next() % UInt64(max(words.count, 1)))
            return words.indices.contains(index) ? words[index] : "new"
        }
        return "\(pick(adjectives))-\(pick(animals))-\(random.next() % 1000)"
    }
}
