// HTTP over Boost.Asio with TLS by OpenSSL: a server of HTTP/1.1 (parsed by Boost.Beast) and HTTP/2 (framed by nghttp2),
// and a blocking client connection of HTTP/1.1.
//
// Threads: the server runs `threads` loops; a connection stays on its loop, and the functions of the options are called
// there.
//
// HTTP/1.1: whoever gets an `mw_exchange` owns it until exactly one of `mw_exchange_reply`, `mw_exchange_reply_filled` or
// `mw_exchange_stream_end` has been called on it, from any thread. Bytes handed out belong to the exchange.
//
// HTTP/2: an `mw_call` lives while its stream is open and after it while somebody retains it.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct mw_server mw_server;
typedef struct mw_exchange mw_exchange;
typedef struct mw_call mw_call;
typedef struct mw_loop mw_loop;
typedef struct mw_client mw_client;

typedef struct {
    const char *data;
    size_t size;
} mw_slice;

typedef enum {
    MW_OK = 0,
    MW_BAD_HOST,
    MW_PORT_IN_USE,
    MW_NO_PERMISSION,
    MW_BAD_TLS,
    MW_OTHER,
    MW_CONNECT_FAILED,
    MW_TIMED_OUT,
    MW_CLOSED,
    MW_BAD_RESPONSE,
    MW_TOO_LARGE,
} mw_outcome;

typedef struct {
    const char *host;
    uint16_t port;  // 0: the system chooses
    int threads;
    const char *certificate_path;  // PEM chain; NULL: plain TCP
    const char *key_path;
    const char *client_ca_path;  // PEM; clients must show a certificate of these authorities. NULL: none is asked for
    size_t header_limit;
    size_t body_limit;
    size_t connection_limit;
    int header_timeout_ms;  // from the first byte of a request, or from accept, to the end of its header
    int body_timeout_ms;    // from the end of the header, plus the bytes received over `minimum_rate`
    int idle_timeout_ms;    // between requests
    int write_timeout_ms;   // for a whole answer, plus its bytes over `minimum_rate`; for streams per write
    int minimum_rate;       // bytes a second
    size_t piecewise_limit;  // of a body that its handler takes piece by piece
    /// Asked on the loop when a header has come that a body follows: 1 where the handler takes it piece by piece. NULL: none does.
    int (*on_header)(void *context, mw_exchange *exchange);
    void (*on_request)(void *context, mw_exchange *exchange);
    void (*on_refused)(void *context, int status);  // answered by the transport itself

    int http2;            // 1: HTTP/2 is spoken on a port of its own, and on `port` with clients that choose it by ALPN
    uint16_t http2_port;  // 0: the system chooses
    size_t stream_limit;   // streams open at once on a connection
    size_t body_memory;    // of all bodies of a connection together that wait to be taken
    /// The header of a request has come; its body may have as well.
    void (*on_call)(void *context, mw_call *call);
    /// More of a body has come, or its end. Not called once the answer is complete.
    void (*on_call_bytes)(void *context, mw_call *call);
    /// There is room again after a write that asked to wait.
    void (*on_call_room)(void *context, mw_call *call);
    /// The deadline of a call has passed, or its body does not come in time.
    void (*on_call_late)(void *context, mw_call *call);
    /// The stream of a call that has an owner is closed: with `gone` 1 before the answer was sent.
    void (*on_call_closed)(void *context, mw_call *call, void *owner, int gone);
    void *context;
} mw_server_options;

/// NULL on failure, with `outcome` and the text of `error` set, and `port` to the one that could not be listened on.
mw_server *mw_server_start(const mw_server_options *options, uint16_t *port, uint16_t *http2_port, mw_outcome *outcome, char *error, size_t error_size);
/// Stops accepting, closes idle connections, tells those of HTTP/2 to go (GOAWAY), lets the others finish for at most `drain_ms`, closes the rest and ends
/// the loops. Blocks. Returns the number of connections that had to be cut.
size_t mw_server_stop(mw_server *server, int drain_ms);
void mw_server_free(mw_server *server);
size_t mw_server_connections(const mw_server *server);

/// Reads certificate, key and client authorities again. New connections use them; the others go on as they are. On
/// failure nothing changes.
mw_outcome mw_server_reload_tls(mw_server *server, char *error, size_t error_size);

/// The subject of the certificate that the client proved to own, as RFC 2253 text; empty where there is none.
mw_slice mw_exchange_client_subject(const mw_exchange *exchange);
/// Calls `run` on the loop of an exchange that has not been answered yet.
void mw_exchange_post(mw_exchange *exchange, void (*run)(void *context), void *context);

/// The loop of an exchange that has not been answered yet, for as long as it is not released.
mw_loop *mw_exchange_retain_loop(const mw_exchange *exchange);
void mw_loop_release(mw_loop *loop);
/// Has `run` called on the loop, or, where the server stops before it comes to it, on the thread that stops it.
/// Returns 0, and does nothing, where the loop has ended.
int mw_loop_post(mw_loop *loop, void (*run)(void *context), void *context);

mw_slice mw_exchange_method(const mw_exchange *exchange);
mw_slice mw_exchange_target(const mw_exchange *exchange);
mw_slice mw_exchange_body(const mw_exchange *exchange);
mw_slice mw_exchange_remote(const mw_exchange *exchange);
size_t mw_exchange_header_count(const mw_exchange *exchange);
void mw_exchange_header_at(const mw_exchange *exchange, size_t index, mw_slice *name, mw_slice *value);
/// The first header of that name, compared without case; data is NULL where there is none.
mw_slice mw_exchange_header(const mw_exchange *exchange, const char *name, size_t size);
/// Whether the body is taken piece by piece.
int mw_exchange_is_piecewise(const mw_exchange *exchange);
/// Takes a piece of a body: none of no bytes but at its end, and none where the outcome is not MW_OK.
typedef void (*mw_piece)(void *context, mw_outcome outcome, const void *bytes, size_t size);
/// Calls `take` once, on the loop, with the next piece of a body that is taken piece by piece. Ask for one at a time, and
/// for none once the exchange has been answered.
void mw_exchange_take_piece(mw_exchange *exchange, mw_piece take, void *context);
int mw_exchange_loop(const mw_exchange *exchange);
int mw_exchange_replied(const mw_exchange *exchange);
/// The status of the reply that was given.
int mw_exchange_status(const mw_exchange *exchange);
/// Bytes of the body of the whole answer that was given.
size_t mw_exchange_size(const mw_exchange *exchange);

/// What the answer names the request by, as X-Request-Id; empty where nothing was set.
mw_slice mw_exchange_id(const mw_exchange *exchange);
/// Before the answer is given: bytes that may stand in a header, and are copied.
void mw_exchange_set_id(mw_exchange *exchange, mw_slice id);
/// Lines that go out with the answer beside its own, each ended by CRLF. Before the answer is given.
void mw_exchange_add_lines(mw_exchange *exchange, mw_slice lines);

/// Answers. `headers` are whole lines, each ended by CRLF. The transport adds Date, Content-Length and Connection.
void mw_exchange_reply(mw_exchange *exchange, int status, mw_slice headers, const void *body, size_t size);
/// Room for a body of up to `capacity` bytes, to be sent by `mw_exchange_reply_filled`.
void *mw_exchange_buffer(mw_exchange *exchange, size_t capacity);
void mw_exchange_reply_filled(mw_exchange *exchange, int status, mw_slice headers, size_t size);

/// Starts a chunked answer. `on_end` is called once, on the loop: with 1 as soon as the peer is found gone, or with 0
/// when the stream has been sent to its end.
void mw_exchange_stream_begin(mw_exchange *exchange, int status, mw_slice headers, void (*on_end)(void *context, int gone), void *context);
/// 0: the peer is gone; 1: taken; 2: taken, but wait before the next write.
int mw_exchange_stream_write(mw_exchange *exchange, const void *bytes, size_t size);
/// Calls `ready` once, as soon as there is room again or the peer is gone.
void mw_exchange_stream_wait(mw_exchange *exchange, void (*ready)(void *context), void *context);
/// Ends the stream; with `complete` 0 the connection is cut so that the peer sees the answer is not whole.
void mw_exchange_stream_end(mw_exchange *exchange, int complete);

// MARK: HTTP/2

typedef struct {
    mw_slice name, value;
} mw_field;

/// What is to happen with the bytes of a body.
typedef enum {
    MW_INTAKE_DUE = 0,  // wanted within the time limit of bodies
    MW_INTAKE_OPEN,     // wanted whenever they come
    MW_INTAKE_HELD,     // not wanted now: the peer is kept from sending more than its window
} mw_intake;

// On the loop of the call only:

/// The first field of that name, in lower case, pseudo-headers (`:path`) too; data is NULL where there is none.
mw_slice mw_call_field(const mw_call *call, const char *name, size_t size);
size_t mw_call_field_count(const mw_call *call);
mw_field mw_call_field_at(const mw_call *call, size_t index);
mw_slice mw_call_remote(const mw_call *call);
mw_slice mw_call_client_subject(const mw_call *call);
/// What has come of the body and was not consumed.
mw_slice mw_call_body(const mw_call *call);
/// Whether the body has come to its end.
int mw_call_is_whole(const mw_call *call);
/// Whether bytes of the body were thrown away because the connection holds too many.
int mw_call_is_over(const mw_call *call);
/// Whether an answer has been begun.
int mw_call_is_answered(mw_call *call);
void mw_call_consume(mw_call *call, size_t size);
/// Makes room for a body of so many bytes.
void mw_call_reserve(mw_call *call, size_t size);
/// A number of the handler's own; 0 at first.
void mw_call_set_tag(mw_call *call, int64_t tag);
int64_t mw_call_tag(const mw_call *call);
/// Who is to be told that the stream is closed.
void mw_call_set_owner(mw_call *call, void *owner);
void *mw_call_owner(const mw_call *call);
/// Has `on_call_late` called after so many milliseconds, unless the stream is closed by then. The first deadline counts.
void mw_call_deadline(mw_call *call, int64_t after_ms);

// From any thread:

void mw_call_retain(mw_call *call);
void mw_call_release(mw_call *call);
int mw_call_loop(const mw_call *call);
/// Calls `run` on the loop, or never where the server has been stopped.
void mw_call_post(mw_call *call, void (*run)(void *context), void *context);
void mw_call_set_intake(mw_call *call, mw_intake intake);
/// Gives an answer that is its header alone, so that no frame of data follows.
void mw_call_answer(mw_call *call, int status, const mw_field *fields, size_t count);
/// Gives the status and the fields of an answer that goes on. Names are in lower case.
void mw_call_begin(mw_call *call, int status, const mw_field *fields, size_t count);
/// 0: the peer is gone; 1: taken; 2: taken, but wait for `on_call_room` before the next write.
int mw_call_write(mw_call *call, mw_slice head, mw_slice bytes);
/// Room for the first `capacity` bytes of an answer that has not been begun; `mw_call_commit` tells how many were written.
void *mw_call_buffer(mw_call *call, size_t capacity);
int mw_call_commit(mw_call *call, size_t size);
/// Ends the answer, with trailers if there are any.
void mw_call_end(mw_call *call, const mw_field *trailers, size_t count);
/// Ends the stream by RST_STREAM.
void mw_call_reset(mw_call *call, uint32_t error_code);

// MARK: Client

/// A client connection; it connects at the first request. `ca_path` NULL: the system's authorities.
mw_client *mw_client_new(const char *host, uint16_t port, int tls, int verify, const char *ca_path);
void mw_client_free(mw_client *client);
/// The certificate chain and key, as PEM files, that the client shows to servers that ask for one.
void mw_client_set_identity(mw_client *client, const char *certificate_path, const char *key_path);
/// Sends `head` (request line and headers up to and with the empty line) and `body`, and reads the whole answer.
mw_outcome mw_client_send(mw_client *client, mw_slice head, const void *body, size_t size, int head_only, int sink, int timeout_ms, size_t body_limit, char *error, size_t error_size);
int mw_client_status(const mw_client *client);
mw_slice mw_client_body(const mw_client *client);
size_t mw_client_header_count(const mw_client *client);
void mw_client_header_at(const mw_client *client, size_t index, mw_slice *name, mw_slice *value);

#ifdef __cplusplus
}
#endif
