/// Takes the requests that come by HTTP/2, as `mw_call`s of the transport. Everything is called on the loop of the call.
package protocol HTTP2Receiver: AnyObject, Sendable {
    /// The header of a request has come.
    func receive(_ call: OpaquePointer)
    /// More of its body has come, or its end.
    func bytes(_ call: OpaquePointer)
    /// There is room for more of the answer.
    func room(_ call: OpaquePointer)
    /// The deadline has passed, or the body does not come in time.
    func late(_ call: OpaquePointer)
    /// The stream of a call that has an owner is closed.
    /// - Parameter gone: whether the answer was not sent to its end.
    func closed(_ call: OpaquePointer, owner: UnsafeMutableRawPointer, gone: Bool)
    /// The server is about to stop: what would go on for ever is to end. Called on any thread.
    func drain()
}
