/// How many columns text takes in a terminal, and cutting it to fit.
///
/// East Asian wide characters and emoji take two columns, combining marks none (Unicode Standard Annex 11, by blocks);
/// colour sequences (`ESC [ ... m`) take none.
enum TextWidth {
    /// Columns of one line of text.
    static func columns(_ text: String) -> Int {
        pieces(of: text).reduce(0) { $0 + $1.columns }
    }

    /// `text` cut to at most `columns`, with `…` as its last character where something was cut.
    static func truncated(_ text: String, to columns: Int) -> String {
        guard self.columns(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var (output, used, hadColour) = ("", 0, false)
        for piece in pieces(of: text) {
            guard used + piece.columns <= columns - 1 else { break }
            output += piece.text
            used += piece.columns
            hadColour = hadColour || piece.isColour
        }
        return output + "…" + (hadColour ? "\u{1B}[0m" : "")
    }

    /// `text` on one line, without control characters that could move the cursor; colours stay.
    static func sanitised(_ text: String) -> String {
        pieces(of: text).map { piece in
            if piece.isColour { return piece.text }
            return String(String.UnicodeScalarView(piece.text.unicodeScalars.map { isControl($0) ? " " : $0 }))
        }.joined()
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    private static func pieces(of text: String) -> [(text: String, columns: Int, isColour: Bool)] {
        var result: [(text: String, columns: Int, isColour: Bool)] = []
        var rest = text[...]
        while let character = rest.first {
            if character == "\u{1B}", let colour = colour(at: rest) {
                result.append((String(colour), 0, true))
                rest = rest[colour.endIndex...]
            } else {
                result.append((String(character), columns(of: character), false))
                rest = rest.dropFirst()
            }
        }
        return result
    }

    private static func colour(at text: Substring) -> Substring? {
        guard text.dropFirst().first == "[" else { return nil }
        let end = text.dropFirst(2).firstIndex { !("0"..."9").contains($0) && $0 != ";" }
        guard let end, text[end] == "m" else { return nil }
        return text[...end]
    }

    private static func columns(of character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if character.unicodeScalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
        let properties = first.properties
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        if properties.isEmojiPresentation { return 2 }
        let wide: [ClosedRange<UInt32>] = [
            0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x20000...0x3FFFD,
        ]
        return wide.contains { $0.contains(first.value) } ? 2 : 1
    }
}
