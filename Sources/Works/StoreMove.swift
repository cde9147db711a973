import Basics
import Foundation
import KeyValue
import ObjectStorage
import Records
import SQL
import Synchronization

/// Moves what a factory has stored from one set of stores to another.
///
/// Every part can be broken off and run again: what has arrived is not sent twice, and at the end both sides are compared
/// by digest. Records of predictions and labels move by themselves into stores that processes share, where the root that
/// they are under goes on with them; from there they are brought back into the logs of the root.
public struct StoreMove: Sendable {
    private let options: WorksOptions
    private let progress: @Sendable (_ part: String, _ done: Int64, _ total: Int64?) -> Void
    /// The tables that list what is in the archive of records.
    private static let recordTables: Set<String> = ["record_segments", "record_sources"]

    /// - Parameters:
    ///   - options: name the root, whose records are moved and on which no server may work, and the stores that neither
    ///     side names.
    ///   - progress: told of each part how many entries are done, and of how many where that is known.
    public init(
        _ options: WorksOptions,
        progress: @escaping @Sendable (_ part: String, _ done: Int64, _ total: Int64?) -> Void = { _, _, _ in }
    ) {
        self.options = options
        self.progress = progress
    }

    /// What was moved of one store.
    public struct Outcome: Sendable, Codable, Hashable {
        public var part: String
        public var entries: Int64
        /// Equal on both sides.
        public var digest: Digest
    }

    /// Moves every store that both sides name.
    /// - Throws: ``WorksFailure/nothingToMove(from:to:)``, ``WorksFailure/rootInUse(root:pid:)``,
    ///   ``WorksFailure/storeBusy(_:processes:)``, ``WorksFailure/moveDiffers(part:reason:)``,
    ///   ``WorksFailure/storeUnusable(_:cause:)``, or what a store throws.
    public func run(
        from source: [StoreAddresses.Store: StoreURL], to target: [StoreAddresses.Store: StoreURL]
    ) async throws -> [Outcome] {
        let root = options.root
        let lock = FileManager.default.fileExists(atPath: root) ? try RootLock(root: root) : nil
        defer { withExtendedLifetime(lock) {} }
        let cache = NSTemporaryDirectory() + "modelworks-move-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: cache) }
        let remembered = options.stores.over(try StoreAddresses(rememberedBy: root))
        func whole(_ side: [StoreAddresses.Store: StoreURL]) throws -> [StoreAddresses.Store: StoreURL] {
            var whole = side
            for store in StoreAddresses.Store.allCases where whole[store] == nil {
                whole[store] = try remembered.resolved(store, root: root, environment: options.environment)
            }
            return whole
        }
        func pair(_ store: StoreAddresses.Store) -> (from: StoreURL, to: StoreURL)? {
            guard let from = source[store], let to = target[store], from != to else { return nil }
            return (from, to)
        }
        let wanted: [StoreAddresses.Store] = [.objects, .online, .sql]
        guard wanted.contains(where: { pair($0) != nil }) else {
            throw WorksFailure.nothingToMove(
                from: source.values.map(\.description).sorted(), to: target.values.map(\.description).sorted())
        }
        let (before, after) = (try whole(source), try whole(target))
        let sides = (
            from: MoveSide(before, options: options, cache: "\(cache)/from"),
            to: MoveSide(after, options: options, cache: "\(cache)/to")
        )
        for side in [sides.from, sides.to] { try await side.refuseLiving() }
        var outcomes: [Outcome] = []
        if sides.from.sharesRecords {
            // What waits in the spools of this root belongs to what is moved.
            try await sides.from.drainRecords(random: options.random)
        }
        if pair(.objects) != nil {
            outcomes.append(try await between(sides, { try await $0.objects() }, close: { await $0.close() }, objects))
        }
        if pair(.online) != nil {
            func move(_ from: any KeyValueStore, _ to: any KeyValueStore) async throws -> Outcome {
                try await online(from: from, to: to, table: Stores.onlineTable)
            }
            outcomes.append(
                try await between(sides, { try await $0.online() }, close: { try? await $0.close() }, move))
        }
        let bringsBack = sides.from.sharesRecords && !sides.to.sharesRecords
        if pair(.sql) != nil {
            let left = bringsBack ? Self.recordTables : []
            func move(_ from: Database, _ to: Database) async throws -> [Outcome] {
                for database in [from, to] { try await database.migrate(Works.migrations) }
                return try await metadata(from: from, to: to, leaving: left)
            }
            outcomes += try await between(sides, { try await $0.database() }, close: { await $0.close() }, move)
        }
        if bringsBack {
            outcomes += try await sides.from.bringBackRecords(random: options.random) {
                progress("records of \($0)", $1, nil)
            }.map { Outcome(part: "records of \($0.channel)", entries: $0.records, digest: $0.digest) }
        }
        return outcomes
    }

    /// Opens a store of both sides, and closes both however the body ends.
    private func between<Store, Result>(
        _ sides: (from: MoveSide, to: MoveSide), _ open: (MoveSide) async throws -> Store,
        close: (Store) async -> Void, _ body: (Store, Store) async throws -> Result
    ) async throws -> Result {
        let from = try await open(sides.from)
        do {
            let to = try await open(sides.to)
            do {
                let result = try await body(from, to)
                await close(to)
                await close(from)
                return result
            } catch {
                await close(to)
                throw error
            }
        } catch {
            await close(from)
            throw error
        }
    }

    /// Copies every row and compares the tables.
    func metadata(
        from source: Database, to target: Database, leaving tables: Set<String> = []
    ) async throws -> [Outcome] {
        let progress = progress
        return try await DatabaseCopy(from: source, to: target)
            .run(leaving: tables.union(["sql_leases"])) { table, rows in progress("table \(table)", rows, nil) }
            .map { Outcome(part: "table \($0.table)", entries: $0.rows, digest: $0.digest) }
    }

    /// Copies every object that is not there yet, and reads each back from the target by its digest.
    func objects(from source: any ObjectStore, to target: any ObjectStore) async throws -> Outcome {
        let wanted = try await source.list()
        let present = Set(try await target.list())
        var done: Int64 = 0
        for digest in wanted {
            if !present.contains(digest) {
                let arrived = try await target.put(file: try await source.localPath(digest))
                guard arrived == digest else {
                    throw WorksFailure.moveDiffers(part: "object \(digest)", reason: "it arrived as \(arrived)")
                }
            }
            // Reading checks the bytes against the name.
            _ = try await target.localPath(digest)
            done += 1
            progress("objects", done, Int64(wanted.count))
        }
        return Outcome(
            part: "objects", entries: done, digest: Digest(of: wanted.map(\.hex).joined(separator: "\n")))
    }

    /// Copies the entries of a table and compares the tables.
    func online(
        from source: any KeyValueStore, to target: any KeyValueStore, table name: String
    ) async throws -> Outcome {
        let (here, there) = (try await source.table(name), try await target.table(name))
        let thread = BlockingThread(name: "move")
        let progress = progress
        let sent = try await thread.run { try Self.send(here, of: source, to: there, of: target, progress) }
        let (first, second) = try await thread.run {
            (try Self.digest(of: here, in: source), try Self.digest(of: there, in: target))
        }
        guard first == second else {
            throw WorksFailure.moveDiffers(
                part: "table \(name) of the online store",
                reason: "its digest is \(first) at the source and \(second) at the target")
        }
        return Outcome(part: "online values", entries: sent, digest: first)
    }

    /// Sends the entries of a table in pieces, so that memory stays bounded. Blocks its thread.
    private static func send(
        _ here: KeyValueTable, of source: any KeyValueStore, to there: KeyValueTable, of target: any KeyValueStore,
        _ progress: (String, Int64, Int64?) -> Void
    ) throws -> Int64 {
        var done: Int64 = 0
        var piece: [(key: [UInt8], value: [UInt8])] = []
        func flush() throws {
            let entries = piece
            piece = []
            try blocking {
                try await target.write { change in
                    for (key, value) in entries { try change.put(key, value, in: there) }
                }
            }
            done += Int64(entries.count)
            progress("online values", done, nil)
        }
        try source.read { view in
            try view.forEach(prefix: UnsafeRawBufferPointer(start: nil, count: 0), in: here) { key, value in
                piece.append(([UInt8](key), [UInt8](value)))
                if piece.count == 5000 { try flush() }
                return true
            }
        }
        if !piece.isEmpty { try flush() }
        return done
    }

    /// Over all keys and values in order of the keys.
    private static func digest(of table: KeyValueTable, in store: any KeyValueStore) throws -> Digest {
        var digest = Digest(of: table.name)
        try store.read { view in
            try view.forEach(prefix: UnsafeRawBufferPointer(start: nil, count: 0), in: table) { key, value in
                var bytes = Array("\(digest.hex) \(key.count) \(value.count) ".utf8)
                bytes.append(contentsOf: key)
                bytes.append(contentsOf: value)
                digest = Digest(of: bytes)
                return true
            }
        }
        return digest
    }

    /// Waits on a thread of its own for what only suspends.
    private static func blocking(_ body: @escaping @Sendable () async throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Void, any Error>>(.success(()))
        Task {
            do { try await body() } catch { result.withLock { $0 = .failure(error) } }
            done.signal()
        }
        done.wait()
        try result.withLock { $0 }.get()
    }
}
