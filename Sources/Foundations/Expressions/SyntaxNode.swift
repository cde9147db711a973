import Basics

/// A node of a parsed expression; children are positions in the array that holds all nodes, always before their parent.
struct SyntaxNode {
    enum Form {
        case literal(ScalarValue)
        case name(String)
        /// An operator or a function.
        case call(String, [Int])
        /// Condition, value, condition, value, …, and the value where no condition is true.
        case choice([Int])
        case cast(Int, ScalarType)
    }

    let form: Form
    /// Where its text begins, in Unicode scalars.
    let offset: Int
}
