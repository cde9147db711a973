#pragma once

#include <expat.h>
#include <stddef.h>
#include <stdint.h>

/// The version of the linked libcurl, such as `libcurl/7.88.1 OpenSSL/3.0.17`.
const char *mw_curl_version(void);

/// A handle with a connection kept alive between requests. One request at a time; any thread.
typedef struct mw_curl mw_curl;

/// Nil when there is no memory.
mw_curl *mw_curl_new(void);
void mw_curl_free(mw_curl *handle);

/// One request. Pointers need to live until `mw_curl_perform` returns.
typedef struct {
    const char *method;
    const char *url;
    /// Lines `name: value`; signed, all of them.
    const char *const *headers;
    size_t header_count;
    /// `aws:amz:REGION:s3`, or NULL for a request that is not signed.
    const char *signature;
    const char *access_key;
    const char *secret_key;
    /// PEM certificates to trust in place of the system's, or NULL.
    const char *ca;
    size_t ca_count;
    /// `HOST:PORT:TO_HOST:TO_PORT`, or NULL.
    const char *connect_to;
    /// Whether the proxies that the environment names are passed by.
    int no_proxy;
    /// The body: from memory, or else from `body_file` (a descriptor, -1 for none) at `body_offset`.
    const uint8_t *body;
    int body_file;
    int64_t body_offset;
    /// Bytes of the body; -1 for a request without one.
    int64_t body_count;
    /// Where the body of an answer with status 200 or 206 goes: into the file `into_file` (a descriptor, -1 for none)
    /// at `into_offset`, else into `into`, else into memory of the handle. At most `limit` bytes are taken.
    int into_file;
    int64_t into_offset;
    uint8_t *into;
    int64_t limit;
    long connect_milliseconds;
    long request_milliseconds;
    /// Fewer bytes per second than this for so long ends the request.
    long stall_bytes;
    long stall_seconds;
    /// Ends the request soon after it becomes other than 0.
    const int32_t *cancelled;
} mw_curl_request;

typedef struct {
    /// A CURLcode: 0 when an answer came whole.
    int code;
    /// What `errno` was when the file could not be read or written, else 0.
    int file_error;
    /// Whether the answer had more bytes than the limit.
    int over_limit;
    long status;
    /// Bytes of the body that were taken and where they are when they went into memory of the handle.
    int64_t count;
    const uint8_t *bytes;
    /// The header lines of the final answer, each ended by a line feed; valid until the next request.
    const char *headers;
    size_t headers_count;
    int64_t bytes_sent;
    const char *reason;
} mw_curl_response;

/// Performs a request; blocks.
void mw_curl_perform(mw_curl *handle, const mw_curl_request *request, mw_curl_response *response);

/// What kind of failure a CURLcode is.
typedef enum {
    MW_CURL_PASSING = 0,
    MW_CURL_TIMEOUT = 1,
    MW_CURL_CANCELLED = 2,
    MW_CURL_UNREACHABLE = 3,
    MW_CURL_NOT_TRUSTED = 4,
    MW_CURL_OTHER = 5,
} mw_curl_failure;

mw_curl_failure mw_curl_classify(int code);

/// Seconds since 1970 of a date as HTTP writes it, or -1.
int64_t mw_curl_date(const char *text);

/// Sets a flag that a request on another thread looks at.
void mw_curl_cancel(int32_t *flag);
