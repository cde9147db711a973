import Basics
import Features
import Testing

@Suite struct OnlineReaderTests {
    private let ten = Timestamp("2020-01-01T10:00:00Z") ?? .distantPast

    @Test func everyTypeIsReadAsItWasComputed() async throws {
        let factory = try await OnlineFactory([
            OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z"),
            OnlineFactory.row(
                "b", 2, "2020-01-01T10:00:00Z", amount: "NA", sold: "NA", rate: "NA", open: "NA", label: "NA"),
        ])
        let report = try await factory.store.materialize(["stock"], from: nil, to: ten, by: "test")
        #expect(report.written == 2)
        let all = try await factory.store.read(
            .features(["stock"]),
            [[.string("a"), .integer(1)], [.string("b"), .integer(2)], [.string("a"), .integer(2)]],
            at: ten)
        let values: [FeatureValue] = [
            .scalar(.double(1.5)), .scalar(.integer(3)), .scalar(.double(0.25)), .scalar(.boolean(true)),
            .scalar(.string("x")), .scalar(.timestamp(ten)), .list([.double(1.5), .null, .double(2)]),
            .list([.string("x"), .string("é"), .null]),
        ]
        #expect(all[0] == values.map { .present($0, ten) })
        let null = ReadValue(status: .nullValue, value: .null, eventTime: ten.microseconds)
        #expect(
            all[1] == [
                null, null, null, null, null, .present(.scalar(.timestamp(ten)), ten),
                .present(.list([.null, .null, .double(2)]), ten), .present(.list([.null, .string("é"), .null]), ten),
            ])
        #expect(all[2].allSatisfy { $0 == ReadValue(status: .notFound, value: .null, eventTime: nil) })
        await factory.close()
    }

    @Test func theTtlHoldsAtBothEndsAndTheFutureIsNotSeen() async throws {
        let factory = try await OnlineFactory([OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")])
        _ = try await factory.store.materialize(from: nil, to: ten, by: "test")
        func status(_ microseconds: Int64) async throws -> OnlineStatus {
            try await factory.store.read(
                .features(["stock:amount"]), [[.string("a"), .integer(1)]],
                at: Timestamp(microseconds: ten.microseconds + microseconds))[0][0].status
        }
        #expect(try await status(-1) == .notFound)
        #expect(try await status(0) == .present)
        #expect(try await status(3_600_000_000) == .present)
        #expect(try await status(3_600_000_001) == .outsideMaxAge)
        #expect(try await status(.max - ten.microseconds) == .outsideMaxAge)
        await factory.close()
    }

    @Test func servicesMapTheirKeysAndKeepTheirOrder() async throws {
        let factory = try await OnlineFactory([OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")])
        _ = try await factory.store.materialize(from: nil, to: ten, by: "test")
        let reader = try await factory.store.onlineReader(.service("shops"))
        #expect(reader.outputs.map(\.fullName) == ["here__amount", "here__sold", "shop_last__total"])
        #expect(reader.joinKeys.map(\.name) == ["shop", "item"])
        #expect(reader.joinKeys.map(\.type) == [.string, .integer])
        #expect(reader.request.map(\.name) == ["weekday"])
        #expect(factory.store.knownReader(.service("shops")) === reader)
        let values = try await factory.store.read(
            .service("shops"), [[.string("a"), .string("1")], [.string("a"), .null], [.string("a"), .double(1.5)]],
            at: ten)
        #expect(values[0].map(\.value) == [.scalar(.double(1.5)), .scalar(.integer(3)), .scalar(.double(1.5))])
        for entity in 1...2 {
            #expect(values[entity].map(\.status) == [.notFound, .notFound, .present], "a key of nothing finds nothing")
        }
        await factory.close()
    }

    @Test func badRequestsNameWhatIsWrong() async throws {
        let factory = try await OnlineFactory([OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")])
        func refused(_ selection: OnlineSelection, _ words: String...) async {
            await #expect {
                _ = try await factory.store.onlineReader(selection)
            } throws: { error in
                words.allSatisfy { "\(error)".contains($0) }
            }
        }
        await refused(.features(["stok:amount"]), "'stok'", "Did you mean 'stock'?")
        await refused(.features(["stock:amont"]), "'amont'", "Did you mean 'amount'?")
        await refused(.service("shop"), "'shop'", "Did you mean 'shops'?")
        await refused(.features([]), "no feature was asked for")
        for bad in ["", ":", "stock:", ":amount", "stock:a:b"] { await refused(.features([bad]), "names no feature") }
        let reader = try await factory.store.onlineReader(.features(["shop_last"]))
        var keys = OnlineKeys(keysPerEntity: 1)
        for _ in 0...OnlineReader.entitiesMax { keys.append(.string("a")) }
        #expect { try reader.read(keys, at: 0) { $0.entityCount } } throws: { "\($0)".contains("10001 entities") }
        #expect { try reader.read(OnlineKeys(keysPerEntity: 2), at: 0) { $0.entityCount } } throws: {
            "\($0)".contains("shop")
        }
        #expect(try reader.read(OnlineKeys(keysPerEntity: 1), at: 0) { $0.entityCount } == 0)
        await factory.close()
    }
}
