import CCurl

/// The texts of an XML document, each with the names above it: `ListBucketResult/Contents/Key`.
///
/// Sizes are bounded and document types refused, so that a hostile answer costs no more than its own length.
enum XMLLeaves {
    struct Leaf: Sendable, Hashable {
        let path: String
        let text: String
    }

    /// Why a document was not taken.
    enum Refusal: Error, Hashable {
        case malformed(String)
        case tooDeep
        case tooLong
        case documentType
    }

    static let depthMax = 16
    static let textBytesMax = 16 << 10
    static let leavesMax = 100_000

    /// Every element that holds no other, and the ends of those that do with an empty text, in the order of their ends.
    static func parse(_ bytes: [UInt8]) throws -> [Leaf] {
        guard bytes.count <= Int(Int32.max) else { throw Refusal.tooLong }
        guard let parser = XML_ParserCreate("UTF-8") else { throw Refusal.malformed("there is no memory for a parser") }
        defer { XML_ParserFree(parser) }
        let state = State(parser: parser)
        let context = Unmanaged.passUnretained(state).toOpaque()
        XML_SetUserData(parser, context)
        XML_SetElementHandler(
            parser, { context, name, _ in State.of(context)?.start(name) },
            { context, _ in State.of(context)?.end() })
        XML_SetCharacterDataHandler(parser) { State.of($0)?.add($1, Int($2)) }
        XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in State.of(context)?.refuse(.documentType) }
        let status = withExtendedLifetime(state) {
            bytes.withUnsafeBufferPointer { buffer in
                buffer.withMemoryRebound(to: CChar.self) { XML_Parse(parser, $0.baseAddress, Int32($0.count), 1) }
            }
        }
        if let refusal = state.refusal { throw refusal }
        guard status == XML_STATUS_OK else {
            throw Refusal.malformed(XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) } ?? "")
        }
        return state.leaves
    }

    private final class State {
        private let parser: XML_Parser
        private(set) var leaves: [Leaf] = []
        private(set) var refusal: Refusal?
        private var names: [String] = []
        private var text: [UInt8] = []
        private var isLeaf = false

        init(parser: XML_Parser) { self.parser = parser }

        static func of(_ context: UnsafeMutableRawPointer?) -> State? {
            context.map { Unmanaged<State>.fromOpaque($0).takeUnretainedValue() }
        }

        func refuse(_ reason: Refusal) {
            if refusal == nil { refusal = reason }
            XML_StopParser(parser, XML_Bool(0))
        }

        func start(_ name: UnsafePointer<CChar>?) {
            guard names.count < XMLLeaves.depthMax else { return refuse(.tooDeep) }
            let name = name.map { String(cString: $0) } ?? ""
            guard name.utf8.count <= 256 else { return refuse(.tooLong) }
            // A prefix says nothing here: services bind it to the one namespace of S3.
            names.append(String(name.split(separator: ":").last ?? ""))
            text = []
            isLeaf = true
        }

        func add(_ bytes: UnsafePointer<CChar>?, _ count: Int) {
            guard let bytes, isLeaf else { return }
            guard text.count + count <= XMLLeaves.textBytesMax else { return refuse(.tooLong) }
            bytes.withMemoryRebound(to: UInt8.self, capacity: count) {
                text += UnsafeBufferPointer(start: $0, count: count)
            }
        }

        func end() {
            guard leaves.count < XMLLeaves.leavesMax else { return refuse(.tooLong) }
            leaves.append(
                Leaf(path: names.joined(separator: "/"), text: isLeaf ? String(decoding: text, as: UTF8.self) : ""))
            isLeaf = false
            text = []
            _ = names.popLast()
        }
    }
}
