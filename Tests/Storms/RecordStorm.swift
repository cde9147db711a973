import Basics
import Foundation
import ObjectStorage
import Records
import SQL
import Telemetry

/// Records in a log of this machine, or on their way by a spool into an archive.
struct RecordStorm: StormStore {
    private let channels: RecordChannels
    private let channel: any RecordChannel
    private let database: Database?
    private static let most = 500

    init(folder: String, isShared: Bool) async throws {
        if isShared {
            let database = try await Database.open(at: "\(folder)/archive.db")
            try await database.migrate(RecordChannels.migrations)
            let objects = try FileObjectStore(root: "\(folder)/objects")
            channels = try RecordChannels(
                sharedBy: database, objects: objects, spoolsIn: "\(folder)/spools", random: SystemRandom())
            self.database = database
        } else {
            channels = try RecordChannels(localIn: "\(folder)/records")
            database = nil
        }
        channel = try channels.channel("predictions", "storm")
    }

    func put(_ item: StormItem) async throws {
        try item.bytes(most: Self.most).withUnsafeBytes { try channel.append($0) }
    }

    func rest(after item: StormItem) async throws -> Bool {
        try await Task.sleep(for: .microseconds(500))
        return false
    }

    func background(_ say: @escaping @Sendable ([StormItem]) -> Void) async throws {
        await channels.shipContinually(every: .milliseconds(2), log: .silent)
    }

    func survey() async throws -> StormSurvey {
        let reader = try await channel.reader(from: .start)
        return try await BlockingThread(name: "storm.survey").run {
            var survey = StormSurvey()
            survey.isOrdered = true
            try reader.read { survey.add([UInt8]($0.bytes), most: Self.most) }
            return survey
        }
    }

    func close() async {
        await channels.close()
        await database?.close()
    }
}
