import Inference

/// Gives back what it is given, one output for each input.
struct EchoModel: TensorModel {
    let platform = "echo"
    let inputs: [TensorSpec]
    let outputs: [TensorSpec]
    var stacksRows = false
    var columnNames: [String]?
    let byteCount = 100

    init(_ inputs: [TensorSpec]) {
        self.inputs = inputs
        outputs = inputs.map { TensorSpec(name: "\($0.name)_out", datatype: $0.datatype, shape: $0.shape) }
    }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] { wanted.map { inputs[$0] } }

    /// One input of two dimensions for each type, named like it in lower case.
    static let ofEveryType = EchoModel(
        TensorType.allCases.map { TensorSpec(name: $0.rawValue.lowercased(), datatype: $0, shape: [-1, -1]) })

    /// One input `x` of a type.
    static func of(_ type: TensorType, shape: [Int] = [-1]) -> EchoModel {
        EchoModel([TensorSpec(name: "x", datatype: type, shape: shape)])
    }
}

/// The sum and the difference of two inputs.
struct SumModel: TensorModel {
    let platform = "sum"
    let inputs = [
        TensorSpec(name: "a", datatype: .fp32, shape: [-1]), TensorSpec(name: "b", datatype: .fp32, shape: [-1]),
    ]
    let outputs = [
        TensorSpec(name: "sum", datatype: .fp32, shape: [-1]),
        TensorSpec(name: "difference", datatype: .fp32, shape: [-1]),
    ]
    let stacksRows = true
    let byteCount = 100

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        let a = inputs[0].values(as: Float.self) ?? []
        let b = inputs[1].values(as: Float.self) ?? []
        return try wanted.map { output in
            try Tensor(.fp32, shape: [a.count], values: zip(a, b).map { output == 0 ? $0 + $1 : $0 - $1 })
        }
    }
}

/// Fails whenever it is asked.
struct BrokenModel: TensorModel {
    struct Broken: Error {}

    let platform = "broken"
    let inputs = [TensorSpec(name: "x", datatype: .fp32, shape: [-1])]
    let outputs = [TensorSpec(name: "y", datatype: .fp32, shape: [-1])]
    let stacksRows = false
    let byteCount = 1

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] { throw Broken() }
}
