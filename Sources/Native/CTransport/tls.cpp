// TLS: certificates, the choice of a protocol by ALPN, and the handshake.
#include "internal.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstring>

namespace transport {

namespace {

// Requests of HTTP/1.1 are answered on a port of both, so it is the one to take where a client speaks both.
constexpr char either[] = "\x08http/1.1\x02h2";
constexpr char http1_only[] = "\x08http/1.1";
constexpr char http2_alone[] = "\x02h2";

std::string subject_of(SSL *ssl) {
    std::string text;
    X509 *certificate = SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get1_peer_certificate(ssl) : nullptr;
    if (!certificate) return text;
    if (BIO *memory = BIO_new(BIO_s_mem())) {
        char *data = nullptr;
        X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
        long size = BIO_get_mem_data(memory, &data);
        if (size > 0) text.assign(data, static_cast<size_t>(size));
        BIO_free(memory);
    }
    X509_free(certificate);
    return text;
}

std::string tls_reason() {
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : nullptr;
    ERR_clear_error();
    return text ? text : "it can not be read";
}

std::string utc(const ASN1_TIME *time) {
    tm parts{};
    char text[32] = "an unknown time";
    if (ASN1_TIME_to_tm(time, &parts)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

void load(net::ssl::context &context, const mw_server &server, bool http2_only) {
    SSL_CTX *handle = context.native_handle();
    auto failed = [](const std::string &file, const std::string &text) -> StartFailure {
        return {MW_BAD_TLS, "'" + file + "': " + text};
    };
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
    SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // A key with a passphrase must fail, not ask on the terminal.
    SSL_CTX_set_default_passwd_cb(handle, [](char *, int, int, void *) { return 0; });
    if (SSL_CTX_use_certificate_chain_file(handle, server.certificate.c_str()) != 1)
        throw failed(server.certificate, tls_reason());
    X509 *leaf = SSL_CTX_get0_certificate(handle);
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0)
        throw failed(server.certificate, "the certificate expired at " + utc(X509_get0_notAfter(leaf)));
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
        throw failed(server.certificate, "the certificate is valid from " + utc(X509_get0_notBefore(leaf)) + " only");
    if (SSL_CTX_use_PrivateKey_file(handle, server.key.c_str(), SSL_FILETYPE_PEM) != 1) {
        bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                        ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
        auto text = tls_reason();
        throw failed(server.key, mismatch ? "the key does not belong to the certificate '" + server.certificate + "'" : text);
    }
    if (SSL_CTX_check_private_key(handle) != 1)
        throw failed(server.key, "the key does not belong to the certificate '" + server.certificate + "'");
    if (!server.client_ca.empty()) {
        auto *names = SSL_load_client_CA_file(server.client_ca.c_str());
        if (!names || SSL_CTX_load_verify_locations(handle, server.client_ca.c_str(), nullptr) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            throw failed(server.client_ca, tls_reason());
        }
        SSL_CTX_set_client_CA_list(handle, names);
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        static const unsigned char scope[] = "modelworks";
        SSL_CTX_set_session_id_context(handle, scope, sizeof scope - 1);
    }
    // A client that speaks none of ours is told at once instead of getting bytes it can not read.
    const char *protocols = !server.options.http2 ? http1_only : http2_only ? http2_alone : either;
    SSL_CTX_set_alpn_select_cb(
        handle,
        [](SSL *, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned int count, void *ours) {
            auto *names = static_cast<const unsigned char *>(ours);
            auto *chosen = const_cast<unsigned char **>(out);
            auto length = static_cast<unsigned int>(strlen(static_cast<const char *>(ours)));
            int found = SSL_select_next_proto(chosen, size, names, length, in, count);
            return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
        },
        const_cast<char *>(protocols));
}

bool chose_http2(SSL *ssl) {
    const unsigned char *name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl, &name, &size);
    return size == 2 && memcmp(name, "h2", 2) == 0;
}

struct Handshake final : Session {
    SecureStream stream;

    Handshake(Arrival arrival, tcp::socket socket, net::ssl::context &context)
        : Session(std::move(arrival)), stream(std::move(socket), context) {}

    void begin() override {
        deadline = Clock::now() + milliseconds(options().header_timeout_ms);
        auto me = std::static_pointer_cast<Handshake>(shared_from_this());
        stream.async_handshake(net::ssl::stream_base::server, [me](error_code error) {
            if (error || !me->listed) return me->cut();
            auto *ssl = me->stream.native_handle();
            me->client_subject = subject_of(ssl);
            bool second = chose_http2(ssl);
            auto next = second ? http2(me->hand_over(), std::move(me->stream)) : http1(me->hand_over(), std::move(me->stream));
            me->leave();
            next->begin();
        });
    }

    void expire() override { cut(); }
    void drain() override { cut(); }

    void cut() override {
        deadline = Clock::time_point::max();
        error_code ignored;
        stream.next_layer().close(ignored);
        leave();
    }
};

}  // namespace

std::shared_ptr<Session> handshake(Arrival arrival, tcp::socket socket, net::ssl::context &context) {
    return std::make_shared<Handshake>(std::move(arrival), std::move(socket), context);
}

std::shared_ptr<net::ssl::context> read_tls(const mw_server &server, bool http2_only) {
    if (server.certificate.empty()) return nullptr;
    auto context = std::make_shared<net::ssl::context>(net::ssl::context::tls_server);
    load(*context, server, http2_only);
    return context;
}

}  // namespace transport
