import Synchronization

/// Which consumer of a group has which partitions, in this process.
final class LocalGroups: Sendable {
    private struct Member {
        let id: UInt64
        let partitions: Set<TopicPartition>
        let wakeup: Wakeup
    }

    private struct Group {
        var members: [Member] = []
        var owners: [TopicPartition: UInt64] = [:]
        var generation: UInt64 = 0
    }

    private struct State {
        var groups: [String: Group] = [:]
        var lastID: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Lets a consumer in and shares the partitions anew.
    /// - Parameter partitions: those of the topics it asks for.
    /// - Returns: the number of the new member.
    func join(_ name: String, partitions: Set<TopicPartition>, wakeup: Wakeup) -> UInt64 {
        change(name) { group, lastID in
            lastID &+= 1
            group.members.append(Member(id: lastID, partitions: partitions, wakeup: wakeup))
            return lastID
        }
    }

    /// Takes a consumer out and shares its partitions among the others.
    func leave(_ name: String, _ id: UInt64) {
        change(name) { group, _ in group.members.removeAll { $0.id == id } }
    }

    /// The partitions of a member where they may have changed since a generation.
    func assignment(
        _ name: String, _ id: UInt64, since generation: UInt64
    ) -> (generation: UInt64, partitions: Set<TopicPartition>)? {
        state.withLock { state in
            guard let group = state.groups[name], group.generation != generation else { return nil }
            return (group.generation, Set(group.owners.filter { $0.value == id }.keys))
        }
    }

    /// Which of some partitions a member has now.
    func owned(_ name: String, _ id: UInt64, _ partitions: some Sequence<TopicPartition>) -> Set<TopicPartition> {
        state.withLock { state in
            let owners = state.groups[name]?.owners ?? [:]
            return Set(partitions.filter { owners[$0] == id })
        }
    }

    private func change<Result>(_ name: String, _ body: (inout Group, inout UInt64) -> Result) -> Result {
        let (result, wakeups) = state.withLock { state in
            var group = state.groups[name] ?? Group()
            let result = body(&group, &state.lastID)
            LocalGroups.share(&group)
            group.generation &+= 1
            state.groups[name] = group
            return (result, group.members.map(\.wakeup))
        }
        for wakeup in wakeups { wakeup.signal() }
        return result
    }

    /// Shares each topic's partitions evenly among the members that ask for it, moving as few as possible.
    private static func share(_ group: inout Group) {
        var wanted: [TopicName: Set<TopicPartition>] = [:]
        for member in group.members {
            for partition in member.partitions { wanted[partition.topic, default: []].insert(partition) }
        }
        var owners: [TopicPartition: UInt64] = [:]
        var load: [UInt64: Int] = [:]
        for (_, partitions) in wanted.sorted(by: { $0.key < $1.key }) {
            let sorted = partitions.sorted()
            guard let first = sorted.first else { continue }
            let members = group.members.filter { $0.partitions.contains(first) }.map(\.id)
            guard !members.isEmpty else { continue }
            var own: [UInt64: Int] = [:]
            let least = sorted.count / members.count
            var extra = sorted.count % members.count
            for partition in sorted {
                guard let owner = group.owners[partition], members.contains(owner) else { continue }
                let count = own[owner, default: 0]
                guard count < least || (count == least && extra > 0) else { continue }
                if count == least { extra -= 1 }
                owners[partition] = owner
                own[owner] = count + 1
            }
            for partition in sorted where owners[partition] == nil {
                let next = members.min {
                    (own[$0, default: 0], load[$0, default: 0], $0) < (own[$1, default: 0], load[$1, default: 0], $1)
                }
                guard let next else { continue }
                owners[partition] = next
                own[next, default: 0] += 1
            }
            for (member, count) in own { load[member, default: 0] += count }
        }
        group.owners = owners
    }
}
