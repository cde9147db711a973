import Features

/// What is the same for all requests that ask for the same outputs.
final class OnlinePlan {
    let reader: OnlineReader
    /// The end of the answer, from the list of results on.
    let metadata: [UInt8]

    /// - Throws: ``FeastFailure/collision(_:)`` where two outputs would have one name.
    init(_ reader: OnlineReader, hasFullNames: Bool, tellsVersions: Bool) throws {
        self.reader = reader
        let names = reader.outputs.map { hasFullNames ? $0.fullName : $0.feature }
        var seen: Set<String> = []
        let collisions = names.filter { !seen.insert($0).inserted }
        guard collisions.isEmpty else { throw FeastFailure.collision(Array(Set(collisions)).sorted()) }
        let text = AnswerBuffer(capacity: 1024)
        text.append("],\"metadata\":{\"feature_names\":[")
        for (index, name) in (reader.joinKeys.map(\.name) + names).enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text.append(jsonString: name)
        }
        text.append("]")
        if tellsVersions {
            var views: [String] = []
            for output in reader.outputs where !views.contains(output.view) { views.append(output.view) }
            text.append(",\"feature_view_metadata\":[")
            for (index, view) in views.enumerated() {
                text.append(index > 0 ? ",{\"name\":" : "{\"name\":")
                text.append(jsonString: view)
                text.append(",\"version\":0}")
            }
            text.append("]")
        }
        text.append("}}")
        metadata = [UInt8](text.bytes)
    }
}
