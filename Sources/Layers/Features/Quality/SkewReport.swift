import Basics

/// A vector of features as it was put together online and logged.
public struct LoggedVector: Sendable, Equatable {
    public var id: String
    /// The moment that the features were read as of.
    public var time: Timestamp
    /// In the order of the service's inputs, NaN for null.
    public var values: [Double]

    public init(id: String, time: Timestamp, values: [Double]) {
        self.id = id
        self.time = time
        self.values = values
    }
}

/// What a replay of logged vectors against the offline join has found.
public struct SkewReport: Sendable, Codable, Equatable {
    public var service: String
    /// Vectors that were logged.
    public var logged = 0
    /// Those of them that were compared.
    public var compared = 0
    /// Not compared, because no row of the population has their id.
    public var notInPopulation = 0
    /// Not compared, because no features were kept with them.
    public var withoutFeatures = 0
    /// Not compared, because they have another number of features than the service gives now.
    public var otherInputs = 0
    /// Values that differ, of all features.
    public var differences = 0
    /// In the order of the service's inputs.
    public var features: [Feature]

    /// One feature's values online and offline. Numbers are equal where all their bits are; null equals null.
    public struct Feature: Sendable, Codable, Equatable {
        public var name: String
        public var compared = 0
        public var different = 0
        /// The first ones that differ.
        public var examples: [Example] = []
    }

    /// A value that differs.
    public struct Example: Sendable, Codable, Equatable {
        public var id: String
        public var time: Timestamp
        public var online: Double?
        public var offline: Double?

        public init(id: String, time: Timestamp, online: Double?, offline: Double?) {
            self.id = id
            self.time = time
            self.online = online
            self.offline = offline
        }
    }

    /// How many examples are kept of a feature.
    public static let examplesMax = 3

    public init(service: String, inputs: [String]) {
        self.service = service
        features = inputs.map { Feature(name: $0) }
    }

    mutating func compare(_ vector: LoggedVector, with offline: [Double]) {
        compared += 1
        for index in features.indices where vector.values.indices.contains(index) && offline.indices.contains(index) {
            let (online, offline) = (vector.values[index], offline[index])
            features[index].compared += 1
            guard online.bitPattern != offline.bitPattern, !(online.isNaN && offline.isNaN) else { continue }
            differences += 1
            features[index].different += 1
            guard features[index].examples.count < Self.examplesMax else { continue }
            features[index].examples.append(
                Example(
                    id: vector.id, time: vector.time, online: online.isNaN ? nil : online,
                    offline: offline.isNaN ? nil : offline))
        }
    }
}
