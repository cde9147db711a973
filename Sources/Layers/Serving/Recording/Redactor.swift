import Basics
import Inference
import Sealing

/// Makes the values of a model's inputs unreadable as its policy says.
struct Redactor: Sendable {
    /// What is done to one input.
    private enum Rule: Sendable {
        case drop
        case whole(RecordPolicy.Redaction.How)
        /// By the index in the last dimension.
        case columns([Int: RecordPolicy.Redaction.How])
    }

    /// By the index of the input.
    private let rules: [Int: Rule]
    private let key: Secret

    /// - Throws: ``ServingFailure/badRedaction(_:model:known:)`` where the model has no such input or column: what was meant
    ///   would be kept readable.
    init(_ redactions: [RecordPolicy.Redaction], of model: any TensorModel, named name: String, key: Secret) throws {
        var rules: [Int: Rule] = [:]
        for redaction in redactions {
            let mayMiss = redaction.isOptional
            guard let input = model.inputs.firstIndex(where: { $0.name == redaction.input }) else {
                if mayMiss { continue }
                throw ServingFailure.badRedaction(
                    redaction.input, model: name, known: model.inputs.map(\.name))
            }
            guard let column = redaction.column else {
                rules[input] = redaction.how == .drop ? .drop : .whole(redaction.how)
                continue
            }
            let width = model.inputs[input].shape.last ?? 0
            let place = Int(column) ?? model.columnNames?.firstIndex(of: column) ?? -1
            guard place >= 0, width < 0 || place < width else {
                if mayMiss { continue }
                throw ServingFailure.badRedaction(
                    "\(redaction.input)[\(column)]", model: name,
                    known: model.columnNames?.map { "\(redaction.input)[\($0)]" } ?? ["\(redaction.input)[0]"])
            }
            switch rules[input] {
            case .drop, .whole: continue
            case .columns(var columns):
                columns[place] = redaction.how
                rules[input] = .columns(columns)
            case nil: rules[input] = .columns([place: redaction.how])
            }
        }
        self.rules = rules
        self.key = key
    }

    /// What is to be kept of an input.
    enum Kept {
        case asItIs
        case nothing
        case elements([UInt8])
    }

    /// - Parameter input: its index among the model's inputs.
    func redact(_ tensor: Tensor, input: Int) -> Kept {
        guard let rule = rules[input] else { return .asItIs }
        switch rule {
        case .drop: return .nothing
        case .whole(let how): return .elements(rewrite(tensor) { _ in how })
        case .columns(let columns):
            let width = tensor.shape.last ?? 0
            return .elements(rewrite(tensor) { width > 0 ? columns[$0 % width] : nil })
        }
    }

    /// - Parameter how: what is done to an element by its index; nil leaves it.
    private func rewrite(_ tensor: Tensor, _ how: (Int) -> RecordPolicy.Redaction.How?) -> [UInt8] {
        var bytes: [UInt8] = []
        if let strings = tensor.strings {
            for (index, string) in strings.enumerated() {
                let kept: [UInt8] =
                    switch how(index) {
                    case nil: string
                    case .hash: Array(Self.hexadecimal(KeyedHash.sha256(string, key: key).prefix(16)).utf8)
                    case .drop, .mask: []
                    }
                withUnsafeBytes(of: UInt32(truncatingIfNeeded: kept.count).littleEndian) {
                    bytes.append(contentsOf: $0)
                }
                bytes.append(contentsOf: kept)
            }
            return bytes
        }
        guard let size = tensor.type.elementBytes else { return bytes }
        tensor.withBytes { source in
            bytes.append(contentsOf: source)
            for index in 0..<tensor.count {
                guard let how = how(index) else { continue }
                let element = Array(source[index * size..<(index + 1) * size])
                let kept = how == .hash ? hash(element, tensor.type) : [UInt8](repeating: 0, count: size)
                bytes.replaceSubrange(index * size..<(index + 1) * size, with: kept)
            }
        }
        return bytes
    }

    /// A number of the same type that stands for another one: whole, and so small that the type has it exactly.
    private func hash(_ element: [UInt8], _ type: TensorType) -> [UInt8] {
        let digest = KeyedHash.sha256(element, key: key)
        let number = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch type {
        case .fp64: return withUnsafeBytes(of: Double(number >> 11).bitPattern.littleEndian) { Array($0) }
        case .fp32: return withUnsafeBytes(of: Float(number >> 40).bitPattern.littleEndian) { Array($0) }
        case .bool, .fp16, .bf16, .bytes: return [UInt8](repeating: 0, count: element.count)
        default: return Array(digest.prefix(element.count))
        }
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0\(text)" : text
        }.joined()
    }
}
