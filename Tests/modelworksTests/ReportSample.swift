import Basics

@testable import modelworks

/// A run that looks like a real one, from a small generator of its own so that every build draws the same.
enum ReportSample {
    private struct Noise {
        var state: UInt64 = 42
        mutating func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(1 << 53)
        }
    }

    static func moment(_ day: Int, hour: Int = 0, minute: Int = 0) -> Timestamp {
        // 2013-04-01T00:00:00Z
        Timestamp(seconds: 1_364_774_400 + Int64(day) * 86_400 + Int64(hour) * 3600 + Int64(minute) * 60)
    }

    static func make() -> DemoReport {
        var noise = Noise()
        var report = DemoReport(
            title: "Flights of New York: the closed loop", subtitle: "April to December 2013, in event time")
        report.facts = [
            .init(name: "Flights", value: "336,776", note: "1,412 quarantined"),
            .init(name: "Requests", value: "252,484", note: "0 failed"),
            .init(name: "AUC recovered", value: "0.699 → 0.744", note: "weeks after the rollout"),
            .init(name: "Latency p99", value: "1.84 ms", note: "with online features"),
            .init(name: "Rollback", value: "0.41 s", note: "broken canary"),
        ]
        report.weeks = (0..<39).map { week in
            let champion = 0.742 - 0.0016 * Double(week) + 0.03 * (noise.next() - 0.5)
            let challenger = week >= 13 ? 0.762 + 0.03 * (noise.next() - 0.5) : nil
            let requests = 6300 + Int(700 * noise.next())
            return .init(
                weekStart: moment(7 * week), championAUC: champion, challengerAUC: challenger,
                servedAUC: week >= 15 ? challenger : champion, labels: requests - Int(250 * noise.next()),
                requests: requests)
        }
        report.events = [
            .init(time: moment(77, hour: 5), kind: .alert, label: "alert: AUC below 0.70"),
            .init(time: moment(84, hour: 5), kind: .alert, label: "alert: dep_hour_delay PSI 0.31"),
            .init(time: moment(91), kind: .retrain, label: "retrain on January to June"),
            .init(time: moment(98), kind: .rolloutStep, label: "rollout 5%"),
            .init(time: moment(99), kind: .rolloutStep, label: "rollout 25%"),
            .init(time: moment(100), kind: .rolloutStep, label: "rollout 50%"),
            .init(time: moment(101), kind: .rolloutStep, label: "rollout 100%"),
            .init(time: moment(262, hour: 9), kind: .rollback, label: "broken canary rolled back"),
        ]
        let features = [
            "origin_delay_mean_2h", "origin_delay_mean_1d", "carrier_delay_mean_7d", "carrier_delay_mean_30d",
            "route_delay_mean_30d", "dest_arr_delay_mean_7d", "temperature", "dew_point", "humidity", "wind_speed",
            "wind_gust", "precipitation", "visibility", "pressure", "aircraft_age", "seats", "scheduled_hour",
            "day_of_week", "distance", "departures_next_hour", "tail_number_previous_leg_delay_minutes",
        ]
        let weeks = (0..<39).map { moment(7 * $0) }
        report.drift = .init(
            features: features, weeks: weeks,
            psi: features.indices.map { feature in
                let strength = feature == 6 || feature == 7 ? 1.1 : feature < 6 ? 0.25 : 0.05
                return weeks.indices.map { week in
                    if feature == 20, week < 4 { return nil }
                    return strength * (0.1 + Double(week % 30) / 20) * (0.3 + noise.next())
                }
            })
        report.traffic = [
            .init(time: moment(0), arms: ["delay:1": 1]),
            .init(time: moment(98), arms: ["delay:1": 0.95, "delay:2": 0.05]),
            .init(time: moment(99), arms: ["delay:1": 0.75, "delay:2": 0.25]),
            .init(time: moment(100), arms: ["delay:1": 0.5, "delay:2": 0.5]),
            .init(time: moment(101), arms: ["delay:2": 1]),
            .init(time: moment(262, hour: 9), arms: ["delay:2": 0.9, "delay:3": 0.1]),
            .init(time: moment(262, hour: 9, minute: 50), arms: ["delay:2": 1]),
        ]
        report.trafficEnd = moment(273)
        let bounds = (0..<34).map { 0.2 * Double(1 << ($0 / 4)) * [1, 1.19, 1.41, 1.68][$0 % 4] }
        report.latency = .init(
            buckets: bounds.enumerated().map { index, bound in
                let distance = Double(index - 7)
                let weight = 40_000 / (1 + distance * distance * (index < 7 ? 1.5 : 0.35))
                return .init(upperBoundMs: bound, count: index < 2 ? 0 : Int(weight / (index > 20 ? 40 : 1)))
            } + [.init(upperBoundMs: nil, count: 3)], p50: 0.71, p99: 1.84)
        report.quarantine = [
            .init(
                table: "flights", expectation: "air_time between 15 and 720", rows: 1175,
                reason: "air_time is missing though the flight arrived"),
            .init(
                table: "weather", expectation: "wind_speed <= 120", rows: 1,
                reason: "wind_speed 1048.4 at EWR, 12 Feb 03:00"),
            .init(table: "planes", expectation: "year not null", rows: 70, reason: "N201AA has no year"),
        ]
        report.rollout = [(0.05, 98), (0.25, 99), (0.5, 100), (1, 101)].map { share, day in
            .init(
                share: share, from: moment(day), to: moment(day + 1), requests: Int(920 * share), errors: 0, p99: 1.79,
                verdict: share == 1 ? "complete" : "promote")
        }
        report.rollback = .init(
            seconds: 0.412, canaryErrors: 14, clientErrors: 0, servedByStable: 1311,
            reason: "A version whose model file asks for a feature nobody computes was given 10% of the traffic.")
        report.lineage.items = [
            .init(kind: "dataset", name: "flights", digest: Digest(of: "flights").description, note: "335,364 rows"),
            .init(
                kind: "features", name: "flight_delay", digest: Digest(of: "features").description, note: "21 features"),
            .init(kind: "code", name: "modelworks", digest: "0910618c2f77", note: nil),
            .init(kind: "model", name: "delay:1", digest: Digest(of: "one").description, note: "January to March"),
            .init(kind: "model", name: "delay:2", digest: Digest(of: "two").description, note: "January to June"),
        ]
        report.journal = .init(entries: 1_284, verified: true, head: Digest(of: "head").description)
        return report
    }
}
