import Foundation

/// Where lines for people go: a terminal, a pipe, or a test.
protocol TerminalOutput: Sendable {
    /// A person is looking at it and lines can be drawn over.
    var isTerminal: Bool { get }
    /// Columns that fit in a line; at least 20.
    var width: Int { get }
    /// Writes all of `text`; what a closed pipe does not take is dropped.
    func write(_ text: String)
}

/// An open file descriptor as an output, usually 2 (standard error).
struct DescriptorOutput: TerminalOutput {
    private let descriptor: Int32
    let isTerminal: Bool

    /// - Parameter descriptor: stays owned by the caller and must be open for as long as the value is used.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
    }

    /// Read from the terminal at each call, since people resize windows; 80 where it is not known.
    var width: Int {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return max(20, Int(size.ws_col))
    }

    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return
            }
        }
    }
}
