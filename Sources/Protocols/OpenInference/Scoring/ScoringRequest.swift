import Inference

/// What a caller who knows nothing of tensors wants scored: columns with names, or one array without.
struct ScoringRequest: Sendable {
    /// In which of the forms of MLflow and TensorFlow Serving it came.
    enum Form: String, Sendable, CaseIterable {
        case split = "dataframe_split"
        case records = "dataframe_records"
        /// The row form of TensorFlow Serving.
        case instances
        /// Its column form.
        case inputs
    }

    enum Content: Sendable {
        case columns([(name: String, cells: Cells)])
        case array(Cells)
    }

    let form: Form
    let content: Content

    init(form: Form, content: Content) {
        self.form = form
        self.content = content
    }

    /// - Parameter forms: those that the protocol has.
    /// - Throws: ``ScoringFailure`` where the document is in none of them, or in several.
    init(_ document: JSONNode, forms: [Form]) throws {
        let names = forms.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        guard document.isObject else { throw ScoringFailure.wrongShape("the body has to be a JSON object") }
        let given = forms.compactMap { form in document.member(form.rawValue).map { (form, $0) } }
        guard let (form, node) = given.first, given.count == 1 else {
            throw ScoringFailure.wrongShape("the body has to have exactly one of \(names)")
        }
        if let params = document.member("params"), !params.isObject {
            throw ScoringFailure.wrongShape("'params' has to be an object")
        }
        self.form = form
        switch form {
        case .split: content = try Self.split(node)
        case .records: content = try Self.records(node)
        case .instances: content = try Self.instances(node)
        case .inputs:
            content =
                node.isObject && !node.isBase64
                ? .columns(try node.children.map { ($0.key, try Cells($0, name: $0.key)) })
                : .array(try Cells(node, name: "inputs"))
        }
    }

    private static func split(_ node: JSONNode) throws -> Content {
        guard let columns = node.member("columns"), columns.isArray, let data = node.member("data"), data.isArray else {
            throw ScoringFailure.wrongShape("'dataframe_split' has to have the arrays 'columns' and 'data'")
        }
        let names = try columns.children.map { column in
            guard let name = column.text else {
                throw ScoringFailure.wrongShape("the names of columns have to be texts")
            }
            return name
        }
        let rows = try data.children.map { row in
            let values = row.children
            guard row.isArray, values.count == names.count else { throw ScoringFailure.ragged("'dataframe_split'") }
            return values
        }
        return .columns(
            try names.enumerated().map { place, name in (name, try Cells(rows: rows.map { $0[place] }, name: name)) })
    }

    private static func records(_ node: JSONNode) throws -> Content {
        guard node.isArray else { throw ScoringFailure.wrongShape("'dataframe_records' has to be an array of objects") }
        return .columns(try columns(node.children, in: .records))
    }

    private static func instances(_ node: JSONNode) throws -> Content {
        guard node.isArray else { throw ScoringFailure.wrongShape("'instances' has to be an array") }
        let rows = node.children
        guard let first = rows.first, first.isObject, !first.isBase64 else {
            return .array(try Cells(rows: rows, name: "instances"))
        }
        return .columns(try columns(rows, in: .instances))
    }

    /// Objects as columns, in the order in which their names first come.
    private static func columns(_ rows: [JSONNode], in form: Form) throws -> [(name: String, cells: Cells)] {
        var names: [String] = []
        var places: [String: Int] = [:]
        var columns: [[JSONNode?]] = []
        var missing = 0
        func pad(_ place: Int, to count: Int) throws {
            let gap = count - columns[place].count
            guard gap > 0 else { return }
            missing += gap
            // A few bytes that name a column take room in every row.
            guard missing <= missingMax else { throw ScoringFailure.wrongShape("most values of the rows are missing") }
            columns[place].append(contentsOf: repeatElement(nil, count: gap))
        }
        for (number, row) in rows.enumerated() {
            guard row.isObject else { throw ScoringFailure.wrongShape("'\(form.rawValue)' mixes objects with others") }
            for member in row.children {
                let place = places[member.key] ?? names.count
                if place == names.count {
                    places[member.key] = place
                    names.append(member.key)
                    columns.append([])
                }
                try pad(place, to: number)
                if columns[place].count == number {
                    columns[place].append(member)
                } else {
                    columns[place][number] = member
                }
            }
        }
        for place in names.indices { try pad(place, to: rows.count) }
        return try zip(names, columns).map { name, nodes in
            guard nodes.contains(where: { $0 == nil }) else {
                return (name, try Cells(rows: nodes.compactMap { $0 }, name: name))
            }
            guard form == .records else { throw ScoringFailure.ragged("'instances'") }
            // A record without a member misses that value, as in a table of Python.
            return (
                name,
                Cells(
                    try nodes.map { node in
                        guard let node else { return .null }
                        let cells = try Cells(node, name: name)
                        guard cells.shape.isEmpty, let cell = cells.values.first else {
                            throw ScoringFailure.ragged("'\(name)'")
                        }
                        return cell
                    })
            )
        }
    }

    private static let missingMax = 1 << 20
}
