import CSimdJSON

/// The parser of infer requests with its memory, for one thread at a time.
final class InferParser: @unchecked Sendable {
    static let bodyBytesMax = 64 << 20
    /// What a parser keeps from one request to the next.
    private static let footprintMax = 32 << 20

    private let parser: OpaquePointer?

    init() { parser = mw_json_parser_new(Self.bodyBytesMax, 64) }

    deinit { mw_json_parser_free(parser) }

    /// Reads a request; what `use` is given points into the parser and into `body`.
    ///
    /// - Parameters:
    ///   - header: bytes of JSON that `body` begins with; nil where it is all JSON.
    ///   - expanding: whether binary data is to be read into numbers and texts, as if it had come as JSON.
    /// - Throws: ``OpenInferenceFailure``, and what `use` throws.
    func read<Result>(
        _ body: UnsafeRawBufferPointer, header: Int?, expanding: Bool = false, _ use: (mw_infer_view) throws -> Result
    ) throws -> Result {
        let length = header ?? body.count
        guard length >= 0, length <= body.count else {
            throw OpenInferenceFailure.headerLength("\(length)", body: body.count)
        }
        defer { mw_json_parser_trim(parser, Self.footprintMax) }
        let tail = UnsafeRawBufferPointer(rebasing: body[length...])
        var view = mw_infer_view()
        var problem = mw_json_error()
        try check(mw_infer_parse(parser, body.baseAddress, length, &view, &problem), problem)
        for input in UnsafeBufferPointer(start: view.inputs, count: view.input_count)
        where input.parameters.value(of: "shared_memory_region") != nil {
            throw OpenInferenceFailure.notOffered("shared memory")
        }
        try check(mw_infer_attach(parser, &view, tail.baseAddress, tail.count, &problem), problem)
        if expanding { try check(mw_infer_expand(parser, &view, &problem), problem) }
        return try use(view)
    }

    /// Reads any document; what `use` is given points into the parser.
    func tree<Result>(_ body: UnsafeRawBufferPointer, _ use: (mw_tree_view) throws -> Result) throws -> Result {
        defer { mw_json_parser_trim(parser, Self.footprintMax) }
        var tree = mw_tree_view()
        var problem = mw_json_error()
        try check(mw_tree_parse(parser, body.baseAddress, body.count, &tree, &problem), problem)
        return try use(tree)
    }

    private func check(_ status: mw_json_status, _ problem: mw_json_error) throws {
        guard status != MW_JSON_OK else { return }
        func string<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        throw OpenInferenceFailure.malformed(
            string(problem.message), where: string(problem.where), limit: status == MW_JSON_LIMIT)
    }
}

extension mw_text {
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: text, count: text == nil ? 0 : length) }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    static func == (text: mw_text, name: String) -> Bool { text.bytes.elementsEqual(name.utf8) }
}

extension mw_parameters {
    /// The value of a parameter; of repeated ones the last.
    func value(of name: StaticString) -> mw_value? {
        guard count > 0 else { return nil }
        let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        return UnsafeBufferPointer(start: items, count: count).last { $0.key.bytes.elementsEqual(name) }?.value
    }

    /// - Throws: ``OpenInferenceFailure/badParameter(_:_:)`` where it is given and is no truth value.
    func bool(_ name: StaticString) throws -> Bool? {
        guard let value = value(of: name), value.kind != MW_VALUE_NULL else { return nil }
        guard value.kind == MW_VALUE_BOOL else { throw OpenInferenceFailure.badParameter("\(name)", "true or false") }
        return value.boolean
    }

    /// - Throws: ``OpenInferenceFailure/badParameter(_:_:)`` where it is given and is no whole number of 0 or more.
    func count(_ name: StaticString) throws -> UInt64? {
        guard let value = value(of: name), value.kind != MW_VALUE_NULL else { return nil }
        if value.kind == MW_VALUE_UINT64 { return value.uint64 }
        guard value.kind == MW_VALUE_INT64, let number = UInt64(exactly: value.int64) else {
            throw OpenInferenceFailure.badParameter("\(name)", "a whole number, 0 or more")
        }
        return number
    }
}
