// The sockets under HTTP/2: plain ones and those of TLS.
#include "http2.hpp"

namespace transport {

namespace {

template <class Stream>
struct Connection final : Http2 {
    static constexpr bool secure = std::is_same_v<Stream, SecureStream>;

    Stream stream;

    Connection(Arrival arrival, Stream taken) : Http2(std::move(arrival)), stream(std::move(taken)) {}

    std::shared_ptr<Connection> self() { return std::static_pointer_cast<Connection>(shared_from_this()); }

    tcp::socket &socket() {
        if constexpr (secure) return stream.next_layer();
        else return stream;
    }

    void start_read() override {
        stream.async_read_some(net::buffer(input), [me = self()](error_code error, size_t count) {
            if (error) return me->cut();
            if (me->received(count)) me->read_on();
        });
    }

    bool write_now() override {
        if constexpr (secure) return false;
        else {
            error_code error;
            output.erase(0, stream.write_some(net::buffer(output), error));
            return output.empty();
        }
    }

    void start_write() override {
        net::async_write(stream, net::buffer(output), [me = self()](error_code error, size_t) { me->written(error); });
    }

    void close_sending() override {
        error_code ignored;
        socket().shutdown(tcp::socket::shutdown_send, ignored);
    }

    void close_socket() override {
        error_code ignored;
        socket().close(ignored);
    }
};

}  // namespace

std::shared_ptr<Session> http2(Arrival arrival, tcp::socket socket) {
    return std::make_shared<Connection<tcp::socket>>(std::move(arrival), std::move(socket));
}

std::shared_ptr<Session> http2(Arrival arrival, SecureStream stream) {
    return std::make_shared<Connection<SecureStream>>(std::move(arrival), std::move(stream));
}

}  // namespace transport
