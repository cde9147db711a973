import CInference

/// The memory of messages of gRPC: handed out piece by piece, given back all at once. For one thread at a time.
final class MessageArena: @unchecked Sendable {
    private static let blockBytes = 64 << 10
    /// What stays from one message to the next.
    private static let keptBytes = 1 << 20
    /// The longest message in memory, whatever its length on the wire.
    private static let budgetMax = 512 << 20

    private var blocks: [UnsafeMutableRawBufferPointer] = []
    private var used = 0
    private var held = 0
    private var budget = MessageArena.budgetMax
    /// Whether more was asked for than may be had.
    private(set) var isExhausted = false

    deinit { for block in blocks { block.deallocate() } }

    /// Forgets everything.
    func reset() {
        used = 0
        isExhausted = false
        budget = Self.budgetMax
        if held > Self.keptBytes || blocks.count > 1 {
            for block in blocks { block.deallocate() }
            blocks = []
            held = 0
        }
    }

    /// Reads a message; it lives until the next `reset`.
    ///
    /// - Parameter descriptor: of the type `Message`.
    /// - Throws: ``MessageFailure`` where the bytes are no such message, or would take many times their length.
    func read<Message>(
        _ type: Message.Type, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>?, _ bytes: UnsafeRawBufferPointer
    ) throws -> Message {
        // An honest message takes up to 40 bytes for each of the wire, where it is nothing but short fields.
        let (share, tooMany) = bytes.count.multipliedReportingOverflow(by: 48)
        budget = tooMany ? Self.budgetMax : min(Self.budgetMax, share + Self.blockBytes)
        var allocator = ProtobufCAllocator(
            alloc: { arena, size in
                guard let arena else { return nil }
                return Unmanaged<MessageArena>.fromOpaque(arena).takeUnretainedValue().allocate(size)
            }, free: { _, _ in }, allocator_data: Unmanaged.passUnretained(self).toOpaque())
        let message = protobuf_c_message_unpack(
            descriptor, &allocator, bytes.count, bytes.assumingMemoryBound(to: UInt8.self).baseAddress)
        budget = Self.budgetMax
        guard let message else { throw isExhausted ? MessageFailure.tooLarge : MessageFailure.malformed }
        return UnsafeRawPointer(message).load(as: Message.self)
    }

    /// A message with every field at its default.
    func make<Message>(
        _ type: Message.Type, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>?
    ) throws -> UnsafeMutablePointer<Message> {
        let size = MemoryLayout<Message>.size
        guard let memory = allocate(size) else { throw MessageFailure.tooLarge }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        memory.assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor = descriptor
        return memory.assumingMemoryBound(to: Message.self)
    }

    /// A text as messages have it.
    func text(_ text: String) throws -> UnsafeMutablePointer<CChar>? {
        try list(text.utf8.map(CChar.init(bitPattern:)) + [0])
    }

    /// Values side by side; nil for none.
    func list<Value: BitwiseCopyable>(_ values: [Value]) throws -> UnsafeMutablePointer<Value>? {
        guard !values.isEmpty else { return nil }
        guard let memory = allocate(values.count * MemoryLayout<Value>.stride) else { throw MessageFailure.tooLarge }
        let first = memory.assumingMemoryBound(to: Value.self)
        values.withUnsafeBufferPointer {
            if let source = $0.baseAddress { first.initialize(from: source, count: $0.count) }
        }
        return first
    }

    /// Pointers to messages side by side, as repeated fields have them; nil for none.
    func messages<Message>(
        _ messages: [UnsafeMutablePointer<Message>]
    ) throws -> UnsafeMutablePointer<UnsafeMutablePointer<Message>?>? {
        try list(messages.map(Optional.some))
    }

    private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size <= budget else {
            isExhausted = true
            return nil
        }
        let rounded = (max(size, 1) + 15) & ~15
        budget -= size
        if blocks.last.map({ $0.count - used < rounded }) ?? true {
            let block = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(rounded, Self.blockBytes), alignment: 16)
            blocks.append(block)
            held += block.count
            used = 0
        }
        defer { used += rounded }
        return blocks.last?.baseAddress.map { $0 + used }
    }
}

extension OutputBuffer {
    /// Writes a message.
    func append<Message>(message: UnsafeMutablePointer<Message>) {
        message.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) { message in
            append(capacity: protobuf_c_message_get_packed_size(message)) { room in
                room.withMemoryRebound(to: UInt8.self, capacity: 1) { protobuf_c_message_pack(message, $0) }
            }
        }
    }

    /// Writes a field of bytes, as it stands in a message.
    /// - Parameter number: at most 15.
    func append(field number: UInt8, _ bytes: UnsafeRawBufferPointer) {
        var head: [UInt8] = [number << 3 | 2]
        var length = bytes.count
        while length >= 0x80 {
            head.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        head.append(UInt8(truncatingIfNeeded: length))
        head.withUnsafeBytes { append($0) }
        append(bytes)
    }
}
