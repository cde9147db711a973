import Basics
import Testing

@testable import modelworks

@Suite struct CommandArgumentsTests {
    private let usage = Usage(
        name: "bake", summary: "Bake", positionals: ["FLOUR", "[YEAST]"],
        options: [
            .init(name: "heat", value: "N", help: "degrees"), .init(name: "steam", value: nil, help: "with steam"),
        ], example: "modelworks bake rye")

    private func read(_ words: String...) throws -> Arguments { try Arguments(words, for: usage) }

    private func complaint(_ words: String...) -> String {
        do {
            _ = try Arguments(words, for: usage)
            return "no error"
        } catch { return (error as? UsageError)?.description ?? "another error: \(error)" }
    }

    @Test func positionalsAndOptionsComeInAnyOrder() throws {
        for words in [
            ["rye", "sour", "--heat", "230", "--steam"], ["--heat=230", "rye", "--steam", "sour"],
            ["--steam", "--heat", "230", "rye", "sour"],
        ] {
            let arguments = try Arguments(words, for: usage)
            #expect(arguments.positionals == ["rye", "sour"])
            #expect(arguments.option("heat") == "230")
            #expect(arguments.flag("steam"))
            #expect(!arguments.flag("json"))
        }
    }

    @Test func whatFollowsTwoDashesIsNoOption() throws {
        #expect(try read("--", "--rye", "--heat").positionals == ["--rye", "--heat"])
        #expect(try read("-5").positionals == ["-5"])
        #expect(try read("").positionals == [""])
    }

    @Test func valuesMayHoldAnything() throws {
        #expect(try read("rye", "--heat=a=b").option("heat") == "a=b")
        #expect(try read("rye", "--heat=").option("heat") == "")
        #expect(try read("rye", "--heat", "--steam").option("heat") == "--steam")
        #expect(try read("rye", "--heat", "1", "--heat", "2").option("heat") == "2")
    }

    @Test func wrongUseIsTold() {
        let help = "See 'modelworks bake --help'."
        #expect(complaint() == "'modelworks bake' needs FLOUR. Usage: modelworks bake FLOUR [YEAST].")
        #expect(complaint("a", "b", "c") == "'c' is one argument too many. \(help)")
        #expect(complaint("a", "--cold") == "'modelworks bake' has no option '--cold'. \(help)")
        #expect(complaint("a", "--cold=1") == "'modelworks bake' has no option '--cold'. \(help)")
        #expect(complaint("a", "--steam=yes") == "'--steam' takes no value")
        #expect(complaint("a", "--heat") == "'--heat' needs a value. \(help)")
        #expect(complaint("a", "--=") == "'modelworks bake' has no option '--'. \(help)")
    }

    @Test func helpNeedsNothingElse() throws {
        #expect(try read("--help").flag("help"))
        #expect(usage.help.contains("Usage: modelworks bake FLOUR [YEAST] [options]"))
        #expect(usage.help.contains("Example:\n  modelworks bake rye"))
    }

    @Test func numbersKeepTheirRange() throws {
        #expect(try read("rye").integer("heat", default: 200, in: 1...300) == 200)
        #expect(try read("rye", "--heat", "300").integer("heat", default: 200, in: 1...300) == 300)
        for text in ["0", "301", "1.5", "", "hot", "99999999999999999999"] {
            let arguments = try read("rye", "--heat=\(text)")
            let error = try #require(throws: UsageError.self) {
                try arguments.integer("heat", default: 200, in: 1...300)
            }
            #expect(error.message == "'--heat' must be a whole number from 1 to 300")
        }
    }

    @Test func everyVerbHasHelpWithAnExampleOfItself() {
        for verb in Verbs.all {
            let usage = verb.usage
            #expect(usage.example.hasPrefix("modelworks \(usage.name)"), "\(usage.name)")
            #expect(usage.help.contains("--json") && usage.help.contains("--help"), "\(usage.name)")
            #expect(!usage.summary.isEmpty && !usage.summary.hasSuffix("."), "\(usage.name)")
            #expect(Verbs.help.contains("  \(usage.name) "), "\(usage.name)")
            for option in usage.options { #expect(!option.help.isEmpty, "\(usage.name) \(option.name)") }
        }
        #expect(Set(Verbs.all.map(\.usage.name)).count == Verbs.all.count)
    }

    @Test func aMistypedVerbIsOfferedTheNearest() throws {
        #expect(try Verbs.find("train").usage.name == "train")
        let error = try #require(throws: UsageError.self) { try Verbs.find("trian") }
        #expect(
            error.description == "there is no verb 'trian'. Did you mean 'modelworks train'? See 'modelworks --help'.")
    }

    @Test func aModelVersionIsNamedByModelAndNumber() throws {
        #expect(try versionPath("flight-delay/3") == "/models/flight-delay/versions/3")
        #expect(try versionPath("a b/3") == "/models/a%20b/versions/3")
        for text in ["", "a", "a/", "/3", "a/b", "a/3/4", "a/3.5"] {
            #expect(throws: UsageError.self) { try versionPath(text) }
        }
    }
}
