import Basics
import Foundation
import HTTP

struct DemoCommand: Command {
    let usage = Usage(
        name: "demo", summary: "Run the whole loop on real flights and draw what happened",
        options: [
            .init(name: "factory", value: "DIR", help: "the factory directory (default: Examples/flights)"),
            .init(name: "out", value: "DIR", help: "where to write (default: demo)"),
            .init(name: "until", value: "DAY", help: "replay up to this day (default: 2014-01-01)"),
            .init(name: "keep", value: nil, help: "leave the server up to look at"),
        ], example: "modelworks demo --keep")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let out = context.absolute(arguments.option("out") ?? "demo")
        let factory = context.absolute(arguments.option("factory") ?? "Examples/flights")
        guard let until = Timestamp(arguments.option("until") ?? "2014-01-01") else {
            throw UsageError("'--until' must be a day such as 2013-09-01")
        }
        let root = "\(out)/root"
        if FileManager.default.fileExists(atPath: root) { try FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let server = try ServerProcess(executable: context.executable, root: root, log: "\(out)/server.log")
        do {
            let demo = try Demonstration(
                server: server, factory: factory, until: until,
                screen: Screen(json: arguments.flag("json"), environment: context.environment))
            try await demo.run()
            try Array(JSON.pretty(demo.summary).utf8).withUnsafeBytes {
                try Data($0).write(to: URL(fileURLWithPath: "\(out)/summary.json"))
            }
            try ReportPage.render(demo.report).write(
                toFile: "\(out)/report.html", atomically: true, encoding: .utf8)
            var text = demo.closingTable + "\n\nPictures: \(out)/report.html\nNumbers:  \(out)/summary.json"
            if arguments.flag("keep") {
                text += "\nServer:   \(server.url) (process \(server.pid); stop it with 'kill \(server.pid)')"
            } else {
                server.stop()
            }
            return Output(document: try JSON.value(demo.summary), text: text, good: demo.failures.isEmpty)
        } catch {
            server.stop()
            throw error
        }
    }
}

/// Where a demonstration shows how far it is.
struct Screen: Sendable {
    private let output = DescriptorOutput(2)
    private let style: Style
    private let silent: Bool

    init(json: Bool, environment: [String: String]) {
        silent = json
        style = Style(for: output, environment: environment)
    }

    func step(_ number: Int, _ title: String) {
        guard !silent else { return }
        output.write(style.bold("\n\(number). \(title)") + "\n")
    }

    func say(_ line: String) {
        guard !silent else { return }
        output.write("   \(line)\n")
    }

    func bar(_ label: String, total: Int?, unit: String) -> ProgressBar? {
        guard !silent else { return nil }
        return ProgressBar(
            label, total: total, unit: unit, output: output, style: style,
            nanoseconds: { SystemTime.monotonicNanoseconds })
    }
}
