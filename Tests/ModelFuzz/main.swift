import Basics
import Foundation
import Inference
import TestSupport

// fuzz-models FILE SEED FIRST ROUNDS SECONDS
//
// Loads a model file again and again, each time damaged in another way, and asks what loads. Each round is announced before
// it begins, so that who started this process knows which one ended it; a round that hangs is ended by an alarm. It goes on
// for at least so many rounds, and until the time is over.

let words = CommandLine.arguments.dropFirst()
guard words.count == 5, let file = words.first, let whole = FileManager.default.contents(atPath: file),
    case let numbers = words.dropFirst().compactMap({ UInt64($0) }), numbers.count == 4
else {
    FileHandle.standardError.write(Data("usage: fuzz-models FILE SEED FIRST ROUNDS SECONDS\n".utf8))
    exit(2)
}
let (seed, first, rounds, seconds) = (numbers[0], numbers[1], numbers[2], numbers[3])
ModelTrial.Limits(seconds: 86_400, memoryBytes: 2 << 30).bindProcess()

/// A damaged copy: cut off, bits or bytes changed, or a digit that is another, which leaves text well formed.
func damaged(_ round: UInt64) -> [UInt8] {
    let random = SeededRandom(seed: seed ^ round &* 0x9E37_79B9_7F4A_7C15)
    func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }
    var bytes = [UInt8](whole)
    switch round % 5 {
    case 0: bytes.removeLast(1 + below(bytes.count))
    case 1: for _ in 0...below(4) { bytes[below(bytes.count)] ^= 1 << UInt8(below(8)) }
    case 2: for _ in 0...below(3) { bytes[below(bytes.count)] = UInt8(below(256)) }
    case 3:
        let start = below(bytes.count)
        let piece = Array(bytes[start..<min(bytes.count, start + 1 + below(40))])
        bytes.insert(contentsOf: piece, at: below(bytes.count))
    default:
        let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
        for _ in 0...below(3) where !digits.isEmpty { bytes[digits[below(digits.count)]] = UInt8(0x30 + below(10)) }
    }
    return bytes
}

func load(_ bytes: [UInt8]) throws -> any TensorModel {
    switch URL(fileURLWithPath: file).pathExtension {
    case "onnx": try ONNXModel(file: bytes)
    case "txt": RowsAsTensors(try LightGBMModel(text: bytes), platform: "lightgbm", byteCount: bytes.count)
    default: RowsAsTensors(try XGBoostModel(file: bytes), platform: "xgboost", byteCount: bytes.count)
    }
}

let end = SystemTime.monotonicNanoseconds + seconds * 1_000_000_000
var (round, loaded, refused) = (first, 0, 0)
while round < rounds || SystemTime.monotonicNanoseconds < end {
    FileHandle.standardOutput.write(Data("\(round)\n".utf8))
    alarm(60)
    do {
        let model = try load(damaged(round))
        loaded += 1
        _ = try model.run(try model.inputs.map(Tensor.zeros(for:)), wanted: Array(model.outputs.indices))
    } catch is any Failure { refused += 1 }
    round += 1
}
FileHandle.standardOutput.write(Data("loaded \(loaded) refused \(refused)\n".utf8))
