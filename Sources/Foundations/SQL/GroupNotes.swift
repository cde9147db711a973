/// What the changes of one commit group tell those that follow in it. It goes with the group's transaction.
final class GroupNotes {
    var values: [String: any Sendable] = [:]
}
