import Foundation

/// Processor time of processes, as Linux counts it.
enum ProcessorTime {
    /// Seconds, user and system, of a process and all that live below it; 0 where there is none.
    static func ofTree(_ root: Int32) -> Double {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        var parents: [Int32: Int32] = [:]
        var ticks: [Int32: UInt64] = [:]
        for process in names.compactMap({ Int32($0) }) {
            guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let fields = fields(text)
            else { continue }
            (parents[process], ticks[process]) = (fields.parent, fields.ticks)
        }
        let sum = ticks.reduce(UInt64(0)) { sum, entry in
            isBelow(entry.key, root, parents) ? sum &+ entry.value : sum
        }
        return Double(sum) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// The parent and the ticks of a line of `/proc/PID/stat`, with those of children that were waited for (proc(5)).
    static func fields(_ text: String) -> (parent: Int32, ticks: UInt64)? {
        // The name may hold blanks and parentheses; what follows it does not.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[1]) else { return nil }
        return (parent, fields[11...14].reduce(0) { $0 &+ (UInt64($1) ?? 0) })
    }

    private static func isBelow(_ process: Int32, _ root: Int32, _ parents: [Int32: Int32]) -> Bool {
        var (current, steps) = (process, 0)
        while current != root {
            guard let parent = parents[current], parent > 0, steps < 64 else { return false }
            (current, steps) = (parent, steps + 1)
        }
        return true
    }
}
