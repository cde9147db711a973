#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static void newest_error(char *text, size_t size) {
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(text, size, "%s", reason ? reason : "unknown reason");
    ERR_clear_error();
}

/// Keys must not be locked by a passphrase: nobody is there to type it.
static int no_passphrase(char *buffer, int size, int writing, void *context) { return 0; }

static bool use_key(SSL_CTX *context, const char *pem) {
    BIO *text = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
    BIO_free(text);
    bool done = key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return done;
}

mw_redis_tls *mw_redis_tls_new(const char *ca, const char *certificate, const char *key, char *error, size_t size) {
    ERR_clear_error();
    char reason[160];
    const char *what = NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    mw_redis_tls *tls = calloc(1, sizeof(mw_redis_tls));
    if (!context || !tls) {
        what = "TLS can not be set up";
    } else {
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(
            context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
        int known = ca ? SSL_CTX_load_verify_locations(context, ca, NULL) : SSL_CTX_set_default_verify_paths(context);
        if (known != 1) {
            what = "the authorities can not be read";
        } else if (certificate && SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
            what = "the client's certificate can not be read";
        } else if (key && !use_key(context, key)) {
            what = "the client's key can not be used";
        }
    }
    if (!what) {
        tls->context = context;
        return tls;
    }
    newest_error(reason, sizeof reason);
    snprintf(error, size, "%s: %s", what, reason);
    SSL_CTX_free(context);
    free(tls);
    return NULL;
}

void mw_redis_tls_free(mw_redis_tls *tls) {
    if (!tls) return;
    SSL_CTX_free(tls->context);
    free(tls);
}

static int failed(mw_redis *connection, const char *what) {
    char reason[160];
    long verified = SSL_get_verify_result(connection->ssl);
    if (verified != X509_V_OK) {
        snprintf(reason, sizeof reason, "%s", X509_verify_cert_error_string(verified));
        ERR_clear_error();
    } else {
        newest_error(reason, sizeof reason);
    }
    return mw_redis_fail(connection, MW_REDIS_TLS, "%s: %s", what, reason);
}

/// Waits as the last call asked for; anything but MW_REDIS_OK ends the call.
static int again(mw_redis *connection, int result, const char *what, uint64_t deadline) {
    int problem = errno;
    switch (SSL_get_error(connection->ssl, result)) {
        case SSL_ERROR_WANT_READ: return mw_redis_wait(connection, POLLIN, deadline);
        case SSL_ERROR_WANT_WRITE: return mw_redis_wait(connection, POLLOUT, deadline);
        case SSL_ERROR_ZERO_RETURN: return mw_redis_fail(connection, MW_REDIS_CLOSED, "the server closed it");
        case SSL_ERROR_SYSCALL:
            ERR_clear_error();
            return problem == 0
                ? mw_redis_fail(connection, MW_REDIS_CLOSED, "the server closed it")
                : mw_redis_fail(connection, MW_REDIS_CLOSED, "%s", strerror(problem));
        default:
            if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
                ERR_clear_error();
                return mw_redis_fail(connection, MW_REDIS_CLOSED, "the server closed it");
            }
            return failed(connection, what);
    }
}

// OpenSSL's own socket layer would raise SIGPIPE; this one never does.

static int quiet_write(BIO *bio, const char *bytes, int size) {
    BIO_clear_retry_flags(bio);
    mw_redis *connection = BIO_get_data(bio);
    ssize_t done = send(connection->socket, bytes, (size_t)size, MSG_NOSIGNAL);
    if (done < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return (int)done;
}

static int quiet_read(BIO *bio, char *bytes, int size) {
    BIO_clear_retry_flags(bio);
    mw_redis *connection = BIO_get_data(bio);
    errno = 0;
    ssize_t done = recv(connection->socket, bytes, (size_t)size, 0);
    if (done < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    if (done == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)done;
}

static long quiet_control(BIO *bio, int command, long number, void *pointer) {
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static pthread_once_t method_made = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "modelworks");
    if (!method) return;
    BIO_meth_set_write(method, quiet_write);
    BIO_meth_set_read(method, quiet_read);
    BIO_meth_set_ctrl(method, quiet_control);
}

int mw_redis_handshake(mw_redis *connection, const char *host, mw_redis_tls *tls, uint64_t deadline) {
    pthread_once(&method_made, make_method);
    ERR_clear_error();
    connection->ssl = SSL_new(tls->context);
    BIO *bio = method && connection->ssl ? BIO_new(method) : NULL;
    if (!bio) return mw_redis_fail(connection, MW_REDIS_MEMORY, "out of memory");
    BIO_set_data(bio, connection);
    BIO_set_init(bio, 1);
    SSL_set_bio(connection->ssl, bio, bio);
    unsigned char raw[16];
    bool numeric = inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
    int named = numeric
        ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection->ssl), host)
        : SSL_set1_host(connection->ssl, host) && SSL_set_tlsext_host_name(connection->ssl, host);
    if (named != 1) return failed(connection, "the host's name can not be verified");
    while (true) {
        ERR_clear_error();
        int result = SSL_connect(connection->ssl);
        if (result == 1) return MW_REDIS_OK;
        int code = again(connection, result, "TLS failed", deadline);
        if (code != MW_REDIS_OK) return code;
    }
}

int mw_redis_tls_send(mw_redis *connection, const char *bytes, size_t size, size_t *sent, uint64_t deadline) {
    while (true) {
        ERR_clear_error();
        int result = SSL_write_ex(connection->ssl, bytes, size, sent);
        if (result == 1) return MW_REDIS_OK;
        int code = again(connection, result, "sending failed", deadline);
        if (code != MW_REDIS_OK) return code;
    }
}

int mw_redis_tls_receive(mw_redis *connection, char *bytes, size_t size, size_t *received, uint64_t deadline) {
    while (true) {
        ERR_clear_error();
        int result = SSL_read_ex(connection->ssl, bytes, size, received);
        if (result == 1) return MW_REDIS_OK;
        int code = again(connection, result, "receiving failed", deadline);
        if (code != MW_REDIS_OK) return code;
    }
}
