import Inference
import Testing

@Suite("Tensors")
struct TensorTests {
    @Test("Rows that are put together and cut apart are the same rows", arguments: [1, 7, 64])
    func stackAndCut(seed: Int) throws {
        let parts = try (1...5).map { index in
            try Tensor(
                .fp32, shape: [index * seed % 4, 3],
                values: (0..<(index * seed % 4) * 3).map { Float($0 * index) })
        }
        let whole = try Tensor.stack(parts)
        var first = 0
        for part in parts {
            let rows = part.shape[0]
            let cut = try whole.rows(first..<first + rows)
            #expect(cut.shape == part.shape)
            #expect(cut.values(as: Float.self) == part.values(as: Float.self))
            first += rows
        }
        #expect(whole.shape == [first, 3])
    }

    @Test("Strings are cut at their own lengths")
    func strings() throws {
        let words: [[UInt8]] = [[], Array("no".utf8), Array("Zürich".utf8), [0, 255], Array("a".utf8), []]
        let tensor = try Tensor(shape: [3, 2], strings: words)
        #expect(try tensor.rows(1..<2).strings == [words[2], words[3]])
        #expect(
            try Tensor.stack([tensor.rows(2..<3), tensor.rows(0..<1)]).strings == [words[4], words[5], [], words[1]])
        #expect(try tensor.rows(3..<3).strings == [])
    }

    @Test("Bytes that do not fit are refused")
    func refused() throws {
        func refuse(_ make: () throws -> Tensor) { #expect(throws: InferenceError.self) { _ = try make() } }
        refuse { try Tensor(.fp32, shape: [2, 2], values: [Float](repeating: 0, count: 3)) }
        refuse { try Tensor(.fp64, shape: [1], values: [Float(0)]) }
        refuse { try Tensor(.int8, shape: [-1], values: [Int8]()) }
        refuse { try Tensor(.int8, shape: [Int.max, 3], values: [Int8]()) }
        // A length that reaches past the end, one that is cut, and bytes behind the last element.
        for bytes: [UInt8] in [[9, 0, 0, 0, 1], [1, 0], [1, 0, 0, 0, 65, 66]] {
            refuse {
                try Tensor(type: .bytes, shape: [1], storage: bytes.withUnsafeBytes { TensorStorage(copying: $0) })
            }
        }
        #expect(try Tensor(.fp32, shape: [Int.max, 0, Int.max], values: [Float]()).isEmpty)
        refuse { try Tensor(.fp32, shape: [2], values: [Float(1), 2]).rows(1..<3) }
    }
}
