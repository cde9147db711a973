#include "include/CTransport.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

struct Broken {
    mw_outcome outcome;
    std::string text;
};

std::string system_text(int number) { return error_code(number, boost::system::system_category()).message(); }

}  // namespace

struct mw_client {
    std::string host;
    uint16_t port = 0;
    bool tls = false, verify = true;
    std::string ca_path, certificate_path, key_path;
    int socket = -1;
    SSL_CTX *context = nullptr;
    SSL *ssl = nullptr;
    beast::flat_buffer buffer;
    std::optional<http::response_parser<http::string_body>> parser;
    // Where the body of a good answer goes instead of into memory; -1 for none.
    int sink = -1;
    Clock::time_point deadline;

    ~mw_client() {
        close();
        SSL_CTX_free(context);
    }

    void close() {
        if (ssl) {
            SSL_shutdown(ssl);
            SSL_free(ssl);
            ssl = nullptr;
        }
        if (socket >= 0) ::close(socket);
        socket = -1;
        buffer.consume(buffer.size());
    }

    void wait(short events) {
        for (;;) {
            auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
            if (left < 0) throw Broken{MW_TIMED_OUT, "no answer within the time allowed"};
            pollfd entry{socket, events, 0};
            int count = ::poll(&entry, 1, static_cast<int>(std::min<long>(left + 1, 1 << 30)));
            if (count > 0) return;
            if (count < 0 && errno != EINTR) throw Broken{MW_CLOSED, system_text(errno)};
        }
    }

    void connect() {
        addrinfo hints{}, *found = nullptr;
        hints.ai_socktype = SOCK_STREAM;
        int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
        if (failed) throw Broken{MW_BAD_HOST, gai_strerror(failed)};
        Broken last{MW_CONNECT_FAILED, "no address"};
        for (auto *entry = found; entry && socket < 0; entry = entry->ai_next) {
            try {
                connect_to(*entry);
            } catch (const Broken &broken) {
                last = broken;
                close();
            }
        }
        freeaddrinfo(found);
        if (socket < 0) throw last;
        try {
            if (tls) handshake();
        } catch (...) {
            close();
            throw;
        }
    }

    void connect_to(const addrinfo &entry) {
        socket = ::socket(entry.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket < 0) throw Broken{MW_CONNECT_FAILED, system_text(errno)};
        int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(socket, entry.ai_addr, entry.ai_addrlen) == 0) return;
        if (errno != EINPROGRESS) throw Broken{MW_CONNECT_FAILED, system_text(errno)};
        wait(POLLOUT);
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) throw Broken{MW_CONNECT_FAILED, system_text(error)};
    }

    std::string tls_text() {
        long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
        if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
        char text[256] = "the TLS connection was closed";
        unsigned long code = ERR_get_error();
        if (code) ERR_error_string_n(code, text, sizeof text);
        ERR_clear_error();
        return text;
    }

    void handshake() {
        if (!context) {
            context = SSL_CTX_new(TLS_client_method());
            if (!context) throw Broken{MW_BAD_TLS, tls_text()};
            SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
            bool loaded = ca_path.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                          : SSL_CTX_load_verify_locations(context, ca_path.c_str(), nullptr) == 1;
            if (verify && !loaded) throw Broken{MW_BAD_TLS, "the authorities in '" + ca_path + "' can not be read"};
            // A key with a passphrase must fail, not ask on the terminal.
            SSL_CTX_set_default_passwd_cb(context, [](char *, int, int, void *) { return 0; });
            if (!certificate_path.empty() &&
                (SSL_CTX_use_certificate_chain_file(context, certificate_path.c_str()) != 1 ||
                 SSL_CTX_use_PrivateKey_file(context, key_path.c_str(), SSL_FILETYPE_PEM) != 1 ||
                 SSL_CTX_check_private_key(context) != 1)) {
                Broken broken{MW_BAD_TLS, "the client certificate '" + certificate_path + "' or its key can not be used: " + tls_text()};
                SSL_CTX_free(context);
                context = nullptr;
                throw broken;
            }
            SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
        }
        ssl = SSL_new(context);
        if (!ssl) throw Broken{MW_BAD_TLS, tls_text()};
        SSL_set_fd(ssl, socket);
        // Names and addresses are different entries of a certificate.
        auto *parameters = SSL_get0_param(ssl);
        if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) {
            SSL_set1_host(ssl, host.c_str());
            SSL_set_tlsext_host_name(ssl, host.c_str());
        }
        ERR_clear_error();
        for (;;) {
            int result = SSL_connect(ssl);
            if (result == 1) return;
            wait_for_tls(result, MW_BAD_TLS);
        }
    }

    void wait_for_tls(int result, mw_outcome outcome) {
        switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_WANT_READ: return wait(POLLIN);
        case SSL_ERROR_WANT_WRITE: return wait(POLLOUT);
        default: throw Broken{outcome, tls_text()};
        }
    }

    // An idle connection with something to read has been closed, or is out of step: neither can be used again.
    bool stale() {
        pollfd entry{socket, POLLIN, 0};
        if (ssl) return false;
        return ::poll(&entry, 1, 0) != 0;
    }

    void write_all(const char *data, size_t size) {
        while (size > 0) {
            if (ssl) {
                ERR_clear_error();
                int count = SSL_write(ssl, data, static_cast<int>(std::min<size_t>(size, 1 << 20)));
                if (count <= 0) {
                    wait_for_tls(count, MW_CLOSED);
                    continue;
                }
                data += count;
                size -= static_cast<size_t>(count);
            } else {
                ssize_t count = ::send(socket, data, size, MSG_NOSIGNAL);
                if (count < 0) {
                    if (errno == EAGAIN) wait(POLLOUT);
                    else if (errno != EINTR) throw Broken{MW_CLOSED, system_text(errno)};
                    continue;
                }
                data += count;
                size -= static_cast<size_t>(count);
            }
        }
    }

    void write_request(mw_slice head, const void *body, size_t size) {
        if (ssl || size == 0) {
            write_all(head.data, head.size);
            return write_all(static_cast<const char *>(body), size);
        }
        iovec parts[2] = {{const_cast<char *>(head.data), head.size}, {const_cast<void *>(body), size}};
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        ssize_t count = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) throw Broken{MW_CLOSED, system_text(errno)};
        size_t sent = count < 0 ? 0 : static_cast<size_t>(count);
        if (sent < head.size) {
            write_all(head.data + sent, head.size - sent);
            sent = head.size;
        }
        write_all(static_cast<const char *>(body) + (sent - head.size), size - (sent - head.size));
    }

    // 0: the peer closed.
    size_t read_some() {
        auto room = buffer.prepare(65536);
        for (;;) {
            if (ssl) {
                ERR_clear_error();
                int count = SSL_read(ssl, room.data(), static_cast<int>(room.size()));
                if (count > 0) return buffer.commit(static_cast<size_t>(count)), static_cast<size_t>(count);
                int error = SSL_get_error(ssl, count);
                if (error == SSL_ERROR_ZERO_RETURN) return 0;
                wait_for_tls(count, MW_CLOSED);
            } else {
                ssize_t count = ::recv(socket, room.data(), room.size(), 0);
                if (count >= 0) return buffer.commit(static_cast<size_t>(count)), static_cast<size_t>(count);
                if (errno == EAGAIN) wait(POLLIN);
                else if (errno != EINTR) throw Broken{MW_CLOSED, system_text(errno)};
            }
        }
    }

    bool sinks() { return sink >= 0 && parser->is_header_done() && parser->get().result_int() / 100 == 2; }

    // Writes what has come of the body, and forgets it.
    void drain() {
        auto &body = parser->get().body();
        for (size_t done = 0; done < body.size();) {
            ssize_t count = ::write(sink, body.data() + done, body.size() - done);
            if (count < 0 && errno != EINTR) throw Broken{MW_OTHER, "the answer can not be saved: " + system_text(errno)};
            if (count > 0) done += static_cast<size_t>(count);
        }
        body.clear();
    }

    void read_answer(bool head_only, size_t body_limit, bool &any) {
        // A 100 Continue that nobody asked for, or any other interim answer, is read over.
        for (;;) {
            parser.emplace();
            parser->header_limit(1 << 18);
            if (sink >= 0) parser->body_limit(boost::none);
            else parser->body_limit(body_limit);
            parser->eager(true);
            parser->skip(head_only);
            for (;;) {
                error_code error;
                if (buffer.size() > 0) {
                    size_t used = parser->put(buffer.data(), error);
                    buffer.consume(used);
                    if (error == http::error::need_more) error = {};
                    if (error == http::error::body_limit) throw Broken{MW_TOO_LARGE, "the answer is larger than the limit"};
                    if (error) throw Broken{MW_BAD_RESPONSE, error.message()};
                    // The parser itself keeps to its limit in requests only.
                    if (sinks()) {
                        drain();
                    } else if (parser->is_header_done() && !head_only) {
                        auto told = parser->content_length();
                        if ((told && *told > body_limit) || parser->get().body().size() > body_limit)
                            throw Broken{MW_TOO_LARGE, "the answer is larger than the limit"};
                    }
                    if (parser->is_done()) break;
                    if (used > 0 && buffer.size() > 0) continue;
                }
                if (read_some() == 0) {
                    if (any) parser->put_eof(error);
                    if (!any || error || !parser->is_done()) throw Broken{MW_CLOSED, "the server closed the connection"};
                    break;
                }
                any = true;
            }
            auto code = parser->get().result_int();
            if (code < 100 || code >= 200 || code == 101) return;
        }
    }

    void send(mw_slice head, const void *body, size_t size, bool head_only, size_t body_limit) {
        if (socket >= 0 && stale()) close();
        for (int attempt = 0;; attempt++) {
            bool reused = socket >= 0, any = false;
            try {
                if (!reused) connect();
                try {
                    write_request(head, body, size);
                } catch (const Broken &broken) {
                    // A server that refuses a body may answer and close while it is still being sent.
                    if (broken.outcome != MW_CLOSED || reused) throw;
                }
                read_answer(head_only, body_limit, any);
                if (!parser->keep_alive() || buffer.size() > 0) close();
                return;
            } catch (const Broken &broken) {
                close();
                if (!reused || any || attempt > 0 || broken.outcome != MW_CLOSED) throw;
            }
        }
    }
};

extern "C" {

mw_client *mw_client_new(const char *host, uint16_t port, int tls, int verify, const char *ca_path) {
    auto *client = new mw_client;
    client->host = host;
    client->port = port;
    client->tls = tls != 0;
    client->verify = verify != 0;
    if (ca_path) client->ca_path = ca_path;
    // OpenSSL writes without MSG_NOSIGNAL; a peer that is gone must be an error, not the end of the process.
    if (tls) ::signal(SIGPIPE, SIG_IGN);
    return client;
}

void mw_client_free(mw_client *client) { delete client; }

void mw_client_set_identity(mw_client *client, const char *certificate_path, const char *key_path) {
    client->certificate_path = certificate_path;
    client->key_path = key_path;
}

mw_outcome mw_client_send(mw_client *client, mw_slice head, const void *body, size_t size, int head_only, int sink, int timeout_ms, size_t body_limit, char *error, size_t error_size) {
    client->sink = sink;
    client->deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
    try {
        client->send(head, body, size, head_only != 0, body_limit);
        return MW_OK;
    } catch (const Broken &broken) {
        if (error_size) snprintf(error, error_size, "%s", broken.text.c_str());
        return broken.outcome;
    } catch (const std::exception &failure) {
        client->close();
        if (error_size) snprintf(error, error_size, "%s", failure.what());
        return MW_OTHER;
    }
}

int mw_client_status(const mw_client *client) {
    return client->parser ? static_cast<int>(client->parser->get().result_int()) : 0;
}

mw_slice mw_client_body(const mw_client *client) {
    if (!client->parser) return {nullptr, 0};
    auto &body = client->parser->get().body();
    return {body.data(), body.size()};
}

size_t mw_client_header_count(const mw_client *client) {
    if (!client->parser) return 0;
    auto &fields = client->parser->get();
    return static_cast<size_t>(std::distance(fields.begin(), fields.end()));
}

void mw_client_header_at(const mw_client *client, size_t index, mw_slice *name, mw_slice *value) {
    if (index >= mw_client_header_count(client)) return;
    auto &field = *std::next(client->parser->get().begin(), static_cast<std::ptrdiff_t>(index));
    *name = {field.name_string().data(), field.name_string().size()};
    *value = {field.value().data(), field.value().size()};
}

}  // extern "C"
