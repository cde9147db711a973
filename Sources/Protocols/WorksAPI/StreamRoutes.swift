import Basics
import Features
import HTTP
import Security

extension WorksAPI {
    /// Events that are pushed, and how far streams have come.
    func installStreams(on router: Router) {
        router.get(
            "\(Self.prefix)/features/streams", needs: .right(to: .read),
            about: .init(
                "Tells how far each stream has come", answer: .json([StreamStatus].self))
        ) { _ in
            try .json(try await services.streams.status())
        }
        router.post(
            "\(Self.prefix)/features/streams/{events}/push", needs: .right(to: .experiment),
            about: .init(
                "Takes events of a stream, one object each", body: .json(Push.self),
                answer: .json(FeatureStreams.Pushed.self))
        ) { request in
            let body = try body(Push.self, request)
            return try .json(
                try await services.streams.push(
                    try request.parameter("events"), try FeatureRows(objects: body.rows),
                    to: body.to ?? "online_and_offline"))
        }
        router.post(
            "\(Self.prefix)/features/streams/flush", needs: .right(to: .experiment),
            about: .init(
                "Brings events that were kept into history", answer: .json([String: Int64].self))
        ) { _ in
            try .json(["events": try await services.streams.flush()])
        }
    }

    private struct Push: Decodable {
        var rows: [JSONValue]
        var to: String?
    }
}
