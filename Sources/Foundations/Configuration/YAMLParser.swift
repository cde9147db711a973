import CYAML

/// Reads YAML 1.1 through libyaml into nodes that know where they stand.
///
/// Limits: 4 MiB a file, 32 levels, 200,000 nodes. Anchors and aliases are refused, and so is a key that stands twice.
public enum YAMLParser {
    static let bytesMax = 4 << 20
    static let depthMax = 32
    static let nodesMax = 200_000

    /// - Parameter file: the name that errors tell.
    /// - Returns: the documents of the text, in order; none for an empty text.
    /// - Throws: ``ConfigurationFailure``.
    public static func parse(_ text: String, file: String) throws -> [YAMLNode] {
        guard text.utf8.count <= bytesMax else {
            throw ConfigurationFailure(file: file, "the file has over \(bytesMax >> 20) MiB")
        }
        guard !text.utf8.contains(0) else { throw ConfigurationFailure(file: file, "the file holds a NUL byte") }
        var text = text
        return try text.withUTF8 { bytes in
            var events = try Events(bytes, file: file)
            return try events.documents()
        }
    }

    private struct Events: ~Copyable {
        private let parser: UnsafeMutablePointer<yaml_parser_t>
        private let bytes: UnsafeBufferPointer<UInt8>
        private let file: String
        private var nodes = 0

        init(_ bytes: UnsafeBufferPointer<UInt8>, file: String) throws {
            self.bytes = bytes
            self.file = file
            parser = .allocate(capacity: 1)
            guard yaml_parser_initialize(parser) != 0 else {
                parser.deallocate()
                throw ConfigurationFailure(file: file, "there is no memory to read it")
            }
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
        }

        deinit {
            yaml_parser_delete(parser)
            parser.deallocate()
        }

        mutating func documents() throws -> [YAMLNode] {
            var documents: [YAMLNode] = []
            while true {
                var event = try next()
                defer { yaml_event_delete(&event) }
                switch event.type {
                case YAML_STREAM_END_EVENT: return documents
                case YAML_DOCUMENT_START_EVENT:
                    var first = try next()
                    defer { yaml_event_delete(&first) }
                    let node = try value(of: &first, depth: 0)
                    if !node.isNull { documents.append(node) }
                default: continue
                }
            }
        }

        private func next() throws -> yaml_event_t {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) != 0 else {
                let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it is no YAML"
                throw ConfigurationFailure(problemPlace(), problem, remedy: "Check indentation, colons and quotes.")
            }
            return event
        }

        /// Of a character that may not stand in YAML, libyaml tells the offset alone.
        private func problemPlace() -> SourcePlace {
            guard parser.pointee.error == YAML_READER_ERROR else {
                let mark = parser.pointee.problem_mark
                return SourcePlace(file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
            }
            let before = bytes.prefix(Int(parser.pointee.problem_offset))
            let lineStart = before.lastIndex(of: 10).map { $0 + 1 } ?? 0
            let characters = String(decoding: before[lineStart...], as: UTF8.self).unicodeScalars.count
            return SourcePlace(file: file, line: before.count { $0 == 10 } + 1, column: characters + 1)
        }

        private func place(_ event: yaml_event_t) -> SourcePlace {
            SourcePlace(
                file: file, line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
        }

        private mutating func value(of event: inout yaml_event_t, depth: Int) throws -> YAMLNode {
            let place = place(event)
            nodes += 1
            guard depth < depthMax, nodes <= nodesMax else {
                throw ConfigurationFailure(place, "the file is nested too deeply or too large")
            }
            switch event.type {
            case YAML_SCALAR_EVENT:
                guard event.data.scalar.anchor == nil else { throw anchors(place) }
                let bytes = UnsafeBufferPointer(start: event.data.scalar.value, count: event.data.scalar.length)
                let quoted = event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE
                return YAMLNode(place: place, content: .scalar(String(decoding: bytes, as: UTF8.self), quoted: quoted))
            case YAML_SEQUENCE_START_EVENT:
                guard event.data.sequence_start.anchor == nil else { throw anchors(place) }
                return YAMLNode(place: place, content: .sequence(try items(depth: depth)))
            case YAML_MAPPING_START_EVENT:
                guard event.data.mapping_start.anchor == nil else { throw anchors(place) }
                return YAMLNode(place: place, content: .mapping(try entries(depth: depth)))
            case YAML_ALIAS_EVENT: throw anchors(place)
            default: throw ConfigurationFailure(place, "a value is wanted here")
            }
        }

        private func anchors(_ place: SourcePlace) -> ConfigurationFailure {
            ConfigurationFailure(place, "anchors and aliases are not taken", remedy: "Write the value out.")
        }

        private mutating func items(depth: Int) throws -> [YAMLNode] {
            var items: [YAMLNode] = []
            while true {
                var event = try next()
                defer { yaml_event_delete(&event) }
                if event.type == YAML_SEQUENCE_END_EVENT { return items }
                items.append(try value(of: &event, depth: depth + 1))
            }
        }

        private mutating func entries(depth: Int) throws -> [YAMLNode.Entry] {
            var entries: [YAMLNode.Entry] = []
            var seen: Set<String> = []
            while true {
                var event = try next()
                defer { yaml_event_delete(&event) }
                if event.type == YAML_MAPPING_END_EVENT { return entries }
                let name = try value(of: &event, depth: depth + 1)
                guard case .scalar(let key, _) = name.content else {
                    throw ConfigurationFailure(name.place, "a key must be a single value")
                }
                guard seen.insert(key).inserted else {
                    throw ConfigurationFailure(name.place, "the key '\(key)' stands twice")
                }
                var following = try next()
                defer { yaml_event_delete(&following) }
                entries.append(
                    YAMLNode.Entry(key: key, place: name.place, value: try value(of: &following, depth: depth + 1)))
            }
        }
    }
}
