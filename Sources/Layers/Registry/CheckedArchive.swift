import Archives
import Basics
import ObjectStorage
import Sealing

/// A version archive of which every byte was found to be what a trusted installation signed.
struct CheckedArchive: Sendable {
    let statement: VersionArchive.Statement
    /// Of the statement's bytes.
    let digest: Digest
    /// The name of the key that signed it.
    let key: String
    /// The bytes of the object that the statement names as its bundle.
    let manifest: [UInt8]

    /// How many bytes the statement, and the manifest, may have.
    private static let paperMax = 64 << 20

    /// Reads an archive once, a piece at a time, and refuses it where anything is not as it was signed. Blocks while it reads.
    ///
    /// What is signed lists the objects, whose names are digests; what lies between members is of no use to anybody but one
    /// who hides something there, and so the archive must be the very bytes that its members are written as.
    /// - Parameters:
    ///   - digest: of the whole archive.
    ///   - keyFile: holds the keys that are trusted.
    /// - Throws: ``RegistryFailure/badArchive(_:)``, ``RegistryFailure/untrusted(key:file:)``, `ArchiveFailure`.
    init(_ spool: SpoolFile, digest whole: Digest, keyFile: String) throws {
        let copy = try Copy(of: spool)
        let text = try copy.paper(VersionArchive.Name.statement)
        key = try Self.signer(of: text, by: try copy.paper(VersionArchive.Name.signature), keyFile: keyFile)
        guard let statement = try? JSON.decode(VersionArchive.Statement.self, from: text),
            statement.format == VersionArchive.Statement.currentFormat
        else { throw RegistryFailure.badArchive("its statement is of another format") }
        guard Set(statement.objects).count == statement.objects.count else {
            throw RegistryFailure.badArchive("its statement lists an object twice")
        }
        var manifest: [UInt8]?
        for object in statement.objects {
            let kept = try copy.object(object, isKept: object == statement.bundle)
            if object == statement.bundle { manifest = kept }
        }
        guard try copy.finish() == whole else {
            throw RegistryFailure.badArchive("it holds more than its statement lists")
        }
        guard let manifest else { throw RegistryFailure.badArchive("its bundle is missing") }
        let files = Set(try VersionPapers.files(of: manifest).values)
        guard files.isSubset(of: statement.objects) else {
            throw RegistryFailure.badArchive("an object of its bundle is missing")
        }
        (self.statement, self.manifest, digest) = (statement, manifest, Digest(of: text))
    }

    /// The name of the trusted key that a signature is made with.
    private static func signer(of text: [UInt8], by paper: [UInt8], keyFile: String) throws -> String {
        guard let signature = try? JSON.decode(VersionArchive.Signature.self, from: paper),
            let signed = Base64.bytes(signature.signature)
        else { throw RegistryFailure.badArchive("its signature can not be read") }
        let keyring = try SigningKeyring.opened(atFile: keyFile)
        guard let key = keyring[signature.key] else {
            throw RegistryFailure.untrusted(key: signature.key, file: keyFile)
        }
        guard key.isValid(signed, for: text) else {
            throw RegistryFailure.badArchive("its signature is not of its statement")
        }
        return key.id
    }

    /// Reads members one after the other, and writes them again to know which bytes they must have come as.
    private final class Copy {
        private let reader: TarReader
        private let writer: TarWriter
        private var digest: Digest.Builder? = Digest.Builder()

        init(of spool: SpoolFile) throws {
            reader = try TarReader(descriptor: try spool.rewound())
            writer = try TarWriter()
        }

        /// All of the next member, which must have this name.
        func paper(_ name: String) throws -> [UInt8] { try member(name) { $0.append(contentsOf: $1) } }

        /// Compares the next member with its name.
        /// - Returns: its bytes where they are to be kept.
        func object(_ object: Digest, isKept: Bool) throws -> [UInt8] {
            let name = VersionArchive.Name.object(object)
            var found = Digest.Builder()
            let kept = try member(name) { kept, piece in
                found.update(piece)
                if isKept { kept += piece }
            }
            guard found.finish() == object else { throw RegistryFailure.badArchive("'\(name)' was changed") }
            return kept
        }

        private func member(_ name: String, _ note: (inout [UInt8], [UInt8]) -> Void) throws -> [UInt8] {
            guard let header = try reader.next(), header.name == name else {
                throw RegistryFailure.badArchive("'\(name)' is missing, or not in its place")
            }
            try writer.begin(name, size: header.size)
            var kept: [UInt8] = []
            var missing = header.size
            while let piece = try reader.piece() {
                missing -= Int64(piece.count)
                guard missing >= 0 else { break }
                note(&kept, piece)
                guard kept.count <= CheckedArchive.paperMax else {
                    throw RegistryFailure.badArchive("'\(name)' is too long")
                }
                try writer.write(piece)
                digest?.update(writer.taken())
            }
            guard missing == 0 else { throw RegistryFailure.badArchive("'\(name)' is not as long as it says") }
            return kept
        }

        /// The digest of an archive of these members alone.
        func finish() throws -> Digest? {
            try writer.finish()
            digest?.update(writer.taken())
            return digest.take()?.finish()
        }
    }
}
