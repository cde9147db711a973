// HTTP/1.1 over Boost.Asio, parsed by Boost.Beast, with TLS by OpenSSL: a server and a blocking client connection.
//
// Threads: the server runs `threads` loops; `on_request` is called on the loop of the connection. Whoever gets an
// `mw_exchange` owns it until exactly one of `mw_exchange_reply`, `mw_exchange_reply_filled` or
// `mw_exchange_stream_end` has been called on it, from any thread. Bytes handed out belong to the exchange.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct mw_server mw_server;
typedef struct mw_exchange mw_exchange;
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
    void *context;
} mw_server_options;

/// NULL on failure, with `outcome` and the text of `error` set.
mw_server *mw_server_start(const mw_server_options *options, uint16_t *port, mw_outcome *outcome, char *error, size_t error_size);
/// Stops accepting, closes idle connections, lets the others finish for at most `drain_ms`, closes the rest and ends
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
