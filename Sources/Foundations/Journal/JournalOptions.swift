import Basics

/// How a journal is signed and anchored.
public struct JournalOptions: Sendable {
    /// The key file that signs; made with a fresh key where there is none.
    public var signingKeyFile: String
    public var anchor: any JournalAnchor
    /// A checkpoint is made when this many entries were added since the last; at least 1.
    public var everyEntries: Int64
    /// And when any was added and so many seconds have passed; at least 1.
    public var everySeconds: Int64

    public init(
        signingKeyFile: String, anchor: any JournalAnchor, everyEntries: Int64 = 1000, everySeconds: Int64 = 60
    ) {
        self.signingKeyFile = signingKeyFile
        self.anchor = anchor
        self.everyEntries = max(1, everyEntries)
        self.everySeconds = max(1, everySeconds)
    }

    /// The key `ROOT/keys/journal.ed25519` and the file `ROOT/anchor/journal.jsonl`: outside the database, but on the
    /// same machine. Move the anchor elsewhere where those who run the machine are to be checked too.
    public static func standard(root: String) -> JournalOptions {
        JournalOptions(
            signingKeyFile: "\(root)/keys/journal.ed25519", anchor: FileAnchor(path: "\(root)/anchor/journal.jsonl"))
    }
}
