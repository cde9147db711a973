import Basics
import HTTP
import Workshop

/// Bodies of infer requests, put together from texts so that they can be wrong in any way.
enum Requests {
    static let shop = input("shop", "BYTES", #"["north"]"#)
    static let size = input("size", "FP64", "[0.5]")
    static let time = input("event_time", "BYTES", #"["2024-01-15T00:00:00Z"]"#)

    static func input(_ name: String, _ datatype: String, _ data: String, shape: String = "[1]") -> String {
        #"{"name":"\#(name)","datatype":"\#(datatype)","shape":\#(shape),"data":\#(data)}"#
    }

    static func body(_ inputs: String..., id: String? = nil) -> String {
        "{" + (id.map { "\"id\":\($0)," } ?? "") + "\"inputs\":[\(inputs.joined(separator: ","))]}"
    }

    /// Runs `check` against a server with a trained model on the endpoint `orders`.
    static func served(_ check: @escaping @Sendable (HTTPClient, Workshop) async throws -> Void) async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.trainAndDeploy()
        try await shop.serving { try await check($0, shop) }
    }
}

extension HTTPClient {
    func read(_ path: String) async throws -> Workshop.Answer {
        let response = try await get(path)
        return Workshop.Answer(status: response.status.code, body: try await response.collect())
    }
}
