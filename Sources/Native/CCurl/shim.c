#define _GNU_SOURCE
#include "CCurl.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Bounds what a hostile server can make us hold: error bodies and header lines.
#define MW_ERROR_LIMIT (1 << 20)
#define MW_HEADER_LIMIT (64 << 10)

struct mw_curl {
    CURL *easy;
    uint8_t *memory;
    size_t memory_size;
    char *headers;
    size_t headers_size;
    char reason[CURL_ERROR_SIZE];
};

typedef struct {
    mw_curl *handle;
    const mw_curl_request *request;
    mw_curl_response *response;
    int64_t sent;
    size_t header_count;
} mw_transfer;

static pthread_once_t mw_once = PTHREAD_ONCE_INIT;
static void mw_start(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

const char *mw_curl_version(void) { return curl_version(); }

mw_curl *mw_curl_new(void) {
    pthread_once(&mw_once, mw_start);
    mw_curl *handle = calloc(1, sizeof *handle);
    if (!handle) return NULL;
    handle->easy = curl_easy_init();
    handle->headers = malloc(MW_HEADER_LIMIT);
    if (!handle->easy || !handle->headers) {
        mw_curl_free(handle);
        return NULL;
    }
    return handle;
}

void mw_curl_free(mw_curl *handle) {
    if (!handle) return;
    if (handle->easy) curl_easy_cleanup(handle->easy);
    free(handle->memory);
    free(handle->headers);
    free(handle);
}

static size_t mw_read(char *buffer, size_t size, size_t count, void *context) {
    mw_transfer *transfer = context;
    const mw_curl_request *request = transfer->request;
    int64_t rest = request->body_count - transfer->sent;
    size_t want = size * count;
    if ((int64_t)want > rest) want = (size_t)rest;
    if (want == 0) return 0;
    if (request->body) {
        memcpy(buffer, request->body + transfer->sent, want);
    } else {
        ssize_t done;
        do {
            done = pread(request->body_file, buffer, want, (off_t)(request->body_offset + transfer->sent));
        } while (done < 0 && errno == EINTR);
        if (done <= 0) {
            transfer->response->file_error = done < 0 ? errno : EIO;
            return CURL_READFUNC_ABORT;
        }
        want = (size_t)done;
    }
    transfer->sent += (int64_t)want;
    return want;
}

// Called when a kept connection was closed just as the body went out, and after a redirect.
static int mw_seek(void *context, curl_off_t offset, int origin) {
    mw_transfer *transfer = context;
    if (origin != SEEK_SET || offset < 0 || offset > transfer->request->body_count) return CURL_SEEKFUNC_FAIL;
    transfer->sent = offset;
    return CURL_SEEKFUNC_OK;
}

static int mw_grow(mw_curl *handle, size_t needed) {
    if (needed <= handle->memory_size) return 1;
    size_t size = handle->memory_size ? handle->memory_size : 16384;
    while (size < needed) size *= 2;
    uint8_t *memory = realloc(handle->memory, size);
    if (!memory) return 0;
    handle->memory = memory;
    handle->memory_size = size;
    return 1;
}

static size_t mw_write(char *bytes, size_t size, size_t items, void *context) {
    mw_transfer *transfer = context;
    const mw_curl_request *request = transfer->request;
    mw_curl_response *response = transfer->response;
    size_t count = size * items;
    long status = 0;
    curl_easy_getinfo(transfer->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    int wanted = status == 200 || status == 206;
    int64_t limit = wanted ? request->limit : MW_ERROR_LIMIT;
    if ((int64_t)count > limit - response->count) {
        response->over_limit = 1;
        return 0;
    }
    if (wanted && request->into_file >= 0) {
        size_t done = 0;
        while (done < count) {
            ssize_t part = pwrite(request->into_file, bytes + done, count - done,
                                  (off_t)(request->into_offset + response->count + (int64_t)done));
            if (part < 0 && errno == EINTR) continue;
            if (part <= 0) {
                response->file_error = part < 0 ? errno : EIO;
                return 0;
            }
            done += (size_t)part;
        }
    } else if (wanted && request->into) {
        memcpy(request->into + response->count, bytes, count);
    } else {
        if (!mw_grow(transfer->handle, (size_t)response->count + count)) return 0;
        memcpy(transfer->handle->memory + response->count, bytes, count);
    }
    response->count += (int64_t)count;
    return count;
}

static size_t mw_header(char *bytes, size_t size, size_t items, void *context) {
    mw_transfer *transfer = context;
    size_t count = size * items;
    // A status line starts the headers anew: those of `100 Continue` are not wanted.
    if (count >= 5 && memcmp(bytes, "HTTP/", 5) == 0) transfer->header_count = 0;
    if (count > MW_HEADER_LIMIT - transfer->header_count) return 0;
    memcpy(transfer->handle->headers + transfer->header_count, bytes, count);
    transfer->header_count += count;
    return count;
}

static int mw_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    const int32_t *cancelled = context;
    return __atomic_load_n(cancelled, __ATOMIC_RELAXED) != 0;
}

void mw_curl_perform(mw_curl *handle, const mw_curl_request *request, mw_curl_response *response) {
    CURL *easy = handle->easy;
    memset(response, 0, sizeof *response);
    handle->reason[0] = 0;
    mw_transfer transfer = {.handle = handle, .request = request, .response = response};
    // Keeps connections, the DNS cache and TLS sessions.
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->reason);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 60L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_milliseconds);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->request_milliseconds);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, request->stall_bytes);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, request->stall_seconds);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->ca) {
        struct curl_blob blob = {
            .data = (void *)request->ca, .len = request->ca_count, .flags = CURL_BLOB_COPY};
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (request->no_proxy) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    struct curl_slist *connect_to = request->connect_to ? curl_slist_append(NULL, request->connect_to) : NULL;
    if (connect_to) curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
    if (request->signature) {
        curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, request->signature);
        curl_easy_setopt(easy, CURLOPT_USERNAME, request->access_key);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, request->secret_key);
    }
    struct curl_slist *headers = NULL;
    for (size_t index = 0; index < request->header_count; index++) {
        struct curl_slist *longer = curl_slist_append(headers, request->headers[index]);
        if (longer) headers = longer;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (request->body_count >= 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_count);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, mw_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, mw_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
        if (strcmp(request->method, "PUT") != 0) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, mw_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, mw_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, mw_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, (void *)request->cancelled);

    response->code = (int)curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response->status);
    response->bytes_sent = transfer.sent;
    response->bytes = handle->memory;
    response->headers = handle->headers;
    response->headers_count = transfer.header_count;
    response->reason = handle->reason[0] ? handle->reason : curl_easy_strerror((CURLcode)response->code);

    // Nothing of this request, its keys least of all, stays in the handle.
    curl_easy_reset(easy);
    curl_slist_free_all(headers);
    curl_slist_free_all(connect_to);
}

mw_curl_failure mw_curl_classify(int code) {
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return MW_CURL_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK: return MW_CURL_CANCELLED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: return MW_CURL_UNREACHABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR: return MW_CURL_NOT_TRUSTED;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2_STREAM:
    case CURLE_SEND_FAIL_REWIND: return MW_CURL_PASSING;
    default: return MW_CURL_OTHER;
    }
}

int64_t mw_curl_date(const char *text) { return (int64_t)curl_getdate(text, NULL); }

void mw_curl_cancel(int32_t *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }
