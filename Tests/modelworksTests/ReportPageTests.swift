import Basics
import Foundation
import Testing

@testable import modelworks

@Suite struct ReportPageTests {
    @Test func drawsARun() throws {
        let page = ReportPage.render(ReportSample.make())
        if let path = ProcessInfo.processInfo.environment["REPORT_SAMPLE"] {
            try page.write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(page.hasPrefix("<!DOCTYPE html>"))
    }
}
