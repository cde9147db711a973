/// A piece of HTML or SVG that can not be malformed: text and attribute values are escaped where they enter the tree.
///
/// The rendered text is at once HTML 5 and well-formed XML, so that a picture may be cut out of the page and used alone.
indirect enum Markup: Sendable {
    case element(String, [(name: String, value: String)], [Markup])
    case text(String)
    /// The content of a style sheet, which browsers do not unescape. Only for text written in this program.
    case styleSheet(String)
    case group([Markup])

    /// An element with attributes and children.
    static func tag(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: [Markup] = [])
        -> Markup
    {
        .element(name, attributes.map { (name: $0.key, value: $0.value) }, children)
    }

    /// An element that holds nothing but text.
    static func tag(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ text: String) -> Markup {
        tag(name, attributes, [.text(text)])
    }

    /// The markup as text.
    var rendered: String {
        var output = ""
        write(to: &output)
        return output
    }

    /// `text` with the five special characters of XML replaced, and characters no XML document may hold made visible.
    static func escape(_ text: String) -> String {
        var output = ""
        output.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&quot;"
            case "'": output += "&#39;"
            case "\t", "\n", "\r": output.unicodeScalars.append(scalar)
            default:
                let value = scalar.value
                let forbidden =
                    value < 0x20 || (0x7F...0x9F).contains(value) || value & 0xFFFE == 0xFFFE
                    || (0xFDD0...0xFDEF).contains(value)
                output.unicodeScalars.append(forbidden ? "\u{FFFD}" : scalar)
            }
        }
        return output
    }

    private func write(to output: inout String) {
        switch self {
        case .text(let text): output += Markup.escape(text)
        case .styleSheet(let css): output += css
        case .group(let children): for child in children { child.write(to: &output) }
        case .element(let name, let attributes, let children):
            output += "<\(name)"
            for attribute in attributes { output += " \(attribute.name)=\"\(Markup.escape(attribute.value))\"" }
            // HTML reads <div/> as an opening tag: only elements that never have content may be closed this way.
            if ["meta", "br", "hr"].contains(name) {
                output += "/>"
                return
            }
            output += ">"
            for child in children { child.write(to: &output) }
            output += "</\(name)>"
            if ["g", "svg", "section", "tr", "table", "title", "style", "figure"].contains(name) { output += "\n" }
        }
    }
}
