import CSimdJSON
import Testing

/// Elements as the binary tensor data extension lays them out, to JSON and back.
@Suite struct TensorLayoutTests {
    private func text(_ datatype: mw_datatype, _ bytes: [UInt8], count: Int) -> String {
        let capacity = mw_elements_capacity(datatype, bytes.count, count)
        let text = [CChar](unsafeUninitializedCapacity: capacity) { buffer, written in
            written = bytes.withUnsafeBytes {
                mw_elements_format(buffer.baseAddress, capacity, datatype, $0.baseAddress, $0.count, count)
            }
        }
        return String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// What the parser makes of a tensor's values, as bytes.
    private func bytes(_ datatype: String, _ values: String, count: Int) throws -> [UInt8] {
        let parser = mw_json_parser_new(16 << 20, 16)
        defer { mw_json_parser_free(parser) }
        let body = Array(
            #"{"inputs":[{"name":"x","datatype":"\#(datatype)","shape":[\#(count)],"data":[\#(values)]}]}"#.utf8)
        var view = mw_infer_view()
        var problem = mw_json_error()
        let status = body.withUnsafeBytes { mw_infer_parse(parser, $0.baseAddress, $0.count, &view, &problem) }
        #expect(status == MW_JSON_OK)
        guard status == MW_JSON_OK, view.input_count == 1, let input = view.inputs else { return [] }
        return [UInt8](unsafeUninitializedCapacity: mw_tensor_size(input)) { buffer, written in
            mw_tensor_write(input, buffer.baseAddress)
            written = mw_tensor_size(input)
        }
    }

    /// Every number of half precision there is.
    @Test(arguments: [(MW_FP16, "FP16", UInt16(0x7C00)), (MW_BF16, "BF16", 0x7F80)])
    func halfPrecisionComesBackBitForBit(datatype: mw_datatype, name: String, infinity: UInt16) throws {
        let patterns = (UInt16.min...UInt16.max).filter { $0 & infinity != infinity }
        let laid = patterns.withUnsafeBytes { [UInt8]($0) }
        let values = text(datatype, laid, count: patterns.count)
        #expect(try bytes(name, values, count: patterns.count) == laid)
    }

    /// Swift's own conversions are the oracle.
    @Test func halfPrecisionIsTheNearest() throws {
        var state: UInt64 = 7
        for _ in 0..<2000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Double(Int64(bitPattern: state) >> 20) / 0x1p33
            let half = Float16(value).bitPattern
            let expected = withUnsafeBytes(of: half) { [UInt8]($0) }
            #expect(try bytes("FP16", "\(value)", count: 1) == expected, "\(value)")
        }
        // Ties go to the even one, and what rounds beyond the largest is refused.
        #expect(try bytes("FP16", "2049,2051", count: 2) == [0x00, 0x68, 0x02, 0x68])
        #expect(try bytes("BF16", "257,259", count: 2) == [0x80, 0x43, 0x82, 0x43])
    }

    @Test func numbersAreTheShortestThatComeBack() {
        var state: UInt64 = 11
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
        for _ in 0..<5000 {
            let single = Float(bitPattern: UInt32(truncatingIfNeeded: next()))
            let double = Double(bitPattern: next())
            let singles = text(MW_FP32, withUnsafeBytes(of: single) { [UInt8]($0) }, count: 1)
            let doubles = text(MW_FP64, withUnsafeBytes(of: double) { [UInt8]($0) }, count: 1)
            #expect(single.isFinite ? Float(singles)?.bitPattern == single.bitPattern : singles == "null")
            #expect(double.isFinite ? Double(doubles)?.bitPattern == double.bitPattern : doubles == "null")
            #expect(singles.utf8.count <= 16, "\(singles)")
        }
        #expect(text(MW_FP32, withUnsafeBytes(of: Float(0.1)) { [UInt8]($0) }, count: 1) == "0.1")
        let whole = withUnsafeBytes(of: UInt64.max) { [UInt8]($0) } + withUnsafeBytes(of: UInt64(0)) { [UInt8]($0) }
        #expect(text(MW_UINT64, whole, count: 2) == "18446744073709551615,0")
        #expect(text(MW_INT64, whole, count: 2) == "-1,0")
    }

    @Test func textsThatEndTooEarlyAreNotWritten() {
        #expect(text(MW_BYTES, [1, 0, 0, 0, 65, 2, 0, 0, 0, 10, 255], count: 2) == "\"A\",\"\\n\u{FFFD}\"")
        #expect(text(MW_BYTES, [2, 0, 0, 0, 65], count: 1) == "")
        #expect(text(MW_BYTES, [1, 0, 0], count: 1) == "")
        #expect(text(MW_FP32, [1, 0, 0], count: 1) == "")
    }
}
