/// What is read of an ONNX file before the library may see it: whether it is whole, which other files it asks for, and
/// what its types leave out.
///
/// The library would open any file that a model names as holding its weights; so all such names are found here first.
struct ONNXFile {
    /// Names of files that weights lie in, each a plain name without a folder.
    private(set) var weightFiles: Set<String> = []
    /// The classes of each `ZipMap` by the output it makes, in the order in which the library gives them: ascending.
    private(set) var classes: [String: [String]] = [:]
    /// Inputs and outputs of the model that are tensors of any rank.
    private(set) var rankless: Set<String> = []

    /// Graphs within graphs; the library's own parser goes no deeper than 100 messages.
    private static let depthMax = 64
    /// What protobuf can hold.
    static let bytesMax = Int(Int32.max)

    private enum Message { case model, graph, node, attribute, tensor, sparse, function, training }

    private static let children: [Message: [UInt64: Message]] = [
        .model: [7: .graph, 20: .training, 25: .function],
        .graph: [1: .node, 5: .tensor, 15: .sparse],
        .node: [5: .attribute],
        .attribute: [5: .tensor, 6: .graph, 10: .tensor, 11: .graph, 22: .sparse, 23: .sparse],
        .sparse: [1: .tensor, 2: .tensor],
        .function: [7: .node, 11: .attribute],
        .training: [1: .graph, 2: .graph],
    ]

    /// - Throws: ``InferenceError`` where the file is empty, cut off, of another format, or names a file outside its folder.
    init(checking file: UnsafeRawBufferPointer) throws {
        guard !file.isEmpty else { throw InferenceError.modelFile("ONNX", "the file is empty") }
        guard file.count <= ONNXFile.bytesMax else {
            throw InferenceError.modelFile(
                "ONNX", "it has \(file.count) bytes, and protobuf holds at most \(ONNXFile.bytesMax)",
                remedy: "Export it with its weights in files beside it")
        }
        // The library would take this form of its own for a model in memory; it is not checked against bad bytes.
        guard !file.dropFirst(4).starts(with: "ORTM".utf8) else {
            throw InferenceError.modelFile(
                "ONNX", "it is in ONNX Runtime's own format", remedy: "Serve the .onnx file it was made from")
        }
        var hasGraph = false
        var fields = ProtobufFields(file)
        while let field = try fields.next() { if field.number == 7, case .bytes = field.value { hasGraph = true } }
        guard hasGraph else { throw InferenceError.modelFile("ONNX", "it holds no graph") }
        try walk(.model, file, depth: 0, isTop: true)
    }

    /// Names of the files beside it that hold its weights.
    /// - Throws: ``InferenceError`` as ``init(checking:)``.
    static func weightFiles(of file: [UInt8]) throws -> Set<String> {
        try file.withUnsafeBytes { try ONNXFile(checking: $0).weightFiles }
    }

    private mutating func walk(_ kind: Message, _ message: UnsafeRawBufferPointer, depth: Int, isTop: Bool) throws {
        guard depth < ONNXFile.depthMax else { throw InferenceError.modelFile("ONNX", "its graphs lie too deep") }
        if kind == .tensor { return try readTensor(message) }
        if kind == .node { try readNode(message) }
        let children = ONNXFile.children[kind] ?? [:]
        var fields = ProtobufFields(message)
        while let (number, value) = try fields.next() {
            guard case .bytes(let bytes) = value else { continue }
            if let child = children[number] {
                try walk(child, bytes, depth: depth + 1, isTop: kind == .model && child == .graph)
            } else if isTop, kind == .graph, number == 11 || number == 12 {
                try readDeclaration(bytes)
            }
        }
    }

    /// A tensor's weights lie elsewhere where its `data_location` (14) says so; `external_data` (13) tells where.
    private mutating func readTensor(_ message: UnsafeRawBufferPointer) throws {
        var isElsewhere = false
        var location: String?
        var fields = ProtobufFields(message)
        while let (number, value) = try fields.next() {
            switch (number, value) {
            case (14, .varint(let place)): isElsewhere = isElsewhere || place != 0
            case (13, .bytes(let entry)):
                isElsewhere = true
                let (key, text) = try ONNXFile.entry(entry)
                if key == "location" { location = text }
            default: continue
            }
        }
        guard isElsewhere else { return }
        guard let location, !location.isEmpty, location != ".", location != "..",
            !location.utf8.contains(where: { $0 == 0x2F || $0 == 0x5C || $0 == 0 })
        else {
            throw InferenceError.modelFile(
                "ONNX", "weights shall be read from '\((location ?? "").prefix(200))', which is no file beside it",
                remedy: "Save the model with all its weights in it, or in files in its own folder")
        }
        weightFiles.insert(location)
    }

    /// Keeps the classes of a node that makes a sequence of maps of a classifier's scores.
    private mutating func readNode(_ message: UnsafeRawBufferPointer) throws {
        var operation = ""
        var output: String?
        var attributes: [UnsafeRawBufferPointer] = []
        var fields = ProtobufFields(message)
        while let (number, value) = try fields.next() {
            guard case .bytes(let bytes) = value else { continue }
            switch number {
            case 2: output = output ?? String(decoding: bytes, as: UTF8.self)
            case 4: operation = String(decoding: bytes, as: UTF8.self)
            case 5: attributes.append(bytes)
            default: continue
            }
        }
        guard operation == "ZipMap", let output else { return }
        var numbers: Set<Int64> = []
        var names: Set<String> = []
        for attribute in attributes {
            var fields = ProtobufFields(attribute)
            while let (number, value) = try fields.next() {
                switch (number, value) {
                case (8, .varint(let label)): numbers.insert(Int64(bitPattern: label))
                case (8, .bytes(let packed)): numbers.formUnion(try ONNXFile.packed(packed))
                case (9, .bytes(let text)): names.insert(String(decoding: text, as: UTF8.self))
                default: continue
                }
            }
        }
        // The library keeps each row's scores in an ordered map.
        classes[output] =
            names.isEmpty
            ? numbers.sorted().map(String.init) : names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Keeps the name of an input or output that is a tensor (1) without a shape (2).
    private mutating func readDeclaration(_ message: UnsafeRawBufferPointer) throws {
        var name = ""
        var isTensor = false
        var hasShape = false
        var fields = ProtobufFields(message)
        while let (number, value) = try fields.next() {
            guard case .bytes(let bytes) = value else { continue }
            if number == 1 { name = String(decoding: bytes, as: UTF8.self) }
            guard number == 2 else { continue }
            var types = ProtobufFields(bytes)
            while let (number, value) = try types.next() {
                guard number == 1, case .bytes(let tensor) = value else { continue }
                isTensor = true
                var parts = ProtobufFields(tensor)
                while let part = try parts.next() { hasShape = hasShape || part.number == 2 }
            }
        }
        if isTensor, !hasShape { rankless.insert(name) }
    }

    private static func entry(_ message: UnsafeRawBufferPointer) throws -> (String, String) {
        var key = ""
        var text = ""
        var fields = ProtobufFields(message)
        while let (number, value) = try fields.next() {
            guard case .bytes(let bytes) = value else { continue }
            if number == 1 { key = String(decoding: bytes, as: UTF8.self) }
            if number == 2 { text = String(decoding: bytes, as: UTF8.self) }
        }
        return (key, text)
    }

    private static func packed(_ bytes: UnsafeRawBufferPointer) throws -> [Int64] {
        var numbers: [Int64] = []
        var value: UInt64 = 0
        var shift: UInt64 = 0
        for byte in bytes {
            guard shift <= 63 else { throw InferenceError.modelFile("ONNX", "a number has more than ten bytes") }
            value |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 {
                numbers.append(Int64(bitPattern: value))
                (value, shift) = (0, 0)
            }
        }
        return numbers
    }
}
