// The server: its ports, its loops, and the limit on its connections.
#include "internal.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>

using namespace transport;

namespace {

thread_local Loop *running_loop = nullptr;

void copy_text(const std::string &text, char *target, size_t size) {
    if (size) snprintf(target, size, "%s", text.c_str());
}

}  // namespace

Loop *transport::current_loop() { return running_loop; }

void Listener::open(const std::string &host, uint16_t port) {
    error_code error;
    auto address = net::ip::make_address(host, error);
    if (error) {
        tcp::resolver resolver(acceptor.get_executor());
        auto found = resolver.resolve(host, "", error);
        if (error || found.empty()) throw StartFailure{MW_BAD_HOST, error ? error.message() : "no address"};
        address = found.begin()->endpoint().address();
    }
    tcp::endpoint endpoint(address, port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(net::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(4096, error);
    if (!error) return;
    auto outcome = error == net::error::address_in_use    ? MW_PORT_IN_USE
                   : error == net::error::access_denied   ? MW_NO_PERMISSION
                   : error.value() == EADDRNOTAVAIL       ? MW_BAD_HOST
                                                          : MW_OTHER;
    throw StartFailure{outcome, error.message()};
}

void Listener::close() {
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
}

void mw_server::load_tls() {
    std::vector<std::shared_ptr<net::ssl::context>> read;
    for (auto &listener : listeners) read.push_back(read_tls(*this, listener->http2));
    for (size_t index = 0; index < read.size(); index++) std::atomic_store(&listeners[index]->tls, read[index]);
}

void mw_server::take(tcp::socket socket, const Listener &listener, size_t index) {
    Seat seat(shared_from_this());
    if (draining) return;
    error_code error;
    socket.set_option(tcp::no_delay(true), error);
    socket.non_blocking(true, error);
    auto peer = socket.remote_endpoint(error);
    Arrival arrival{loops[index], std::move(seat), error ? std::string() : peer.address().to_string(error), {}};
    std::shared_ptr<Session> session;
    if (auto context = std::atomic_load(&listener.tls)) {
        session = handshake(std::move(arrival), std::move(socket), *context);
    } else if (listener.http2) {
        session = http2(std::move(arrival), std::move(socket));
    } else {
        session = http1(std::move(arrival), std::move(socket));
    }
    session->begin();
}

// One acceptor of each port hands connections to the loops in turn. SO_REUSEPORT would let a second process listen on the
// same port without an error and take half of the connections.
void mw_server::accept(Listener &listener) {
    size_t index = next_loop++ % loops.size();
    listener.acceptor.async_accept(loops[index]->io, [this, &listener, index](error_code error, tcp::socket socket) {
        if (error == net::error::operation_aborted || draining) return;
        if (error) {
            listener.pause.expires_after(milliseconds(50));
            listener.pause.async_wait([this, &listener](error_code stop) {
                if (!stop) accept(listener);
            });
            return;
        }
        if (connections.fetch_add(1) >= options.connection_limit) {
            left();
            static const char busy[] =
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
            if (!listener.http2 && !std::atomic_load(&listener.tls))
                (void)::send(socket.native_handle(), busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (options.on_refused) options.on_refused(options.context, 503);
        } else if (index == 0) {
            take(std::move(socket), listener, 0);
        } else {
            net::post(loops[index]->io, [this, &listener, index, socket = std::move(socket)]() mutable {
                take(std::move(socket), listener, index);
            });
        }
        accept(listener);
    });
}

void mw_server::left() {
    if (connections.fetch_sub(1) == 1) {
        std::lock_guard<std::mutex> lock(mutex);
        emptied.notify_all();
    }
}

void mw_server::tear_down() {
    for (auto &loop : loops) {
        if (loop->thread.joinable()) loop->thread.join();
        loop->end_jobs();
    }
    listeners.clear();
    guards.clear();
}

extern "C" {

mw_server *mw_server_start(
    const mw_server_options *options, uint16_t *port, uint16_t *http2_port, mw_outcome *outcome, char *error, size_t size) {
    auto server = std::make_shared<mw_server>();
    uint16_t trying = options->port;
    *outcome = MW_OK;
    try {
        server->options = *options;
        server->host = options->host;
        if (options->certificate_path) server->certificate = options->certificate_path;
        if (options->key_path) server->key = options->key_path;
        if (options->client_ca_path) server->client_ca = options->client_ca_path;
        for (int index = 0; index < std::max(1, options->threads); index++) {
            auto loop = std::make_shared<Loop>();
            loop->server = server;
            loop->index = index;
            server->loops.push_back(std::move(loop));
        }
        auto &io = server->loops[0]->io;
        server->listeners.push_back(std::make_unique<Listener>(io, false));
        if (options->http2) server->listeners.push_back(std::make_unique<Listener>(io, true));
        server->load_tls();
        for (auto &listener : server->listeners) {
            trying = listener->http2 ? options->http2_port : options->port;
            listener->open(server->host, trying);
            (listener->http2 ? *http2_port : *port) = listener->acceptor.local_endpoint().port();
        }
        for (auto &listener : server->listeners) server->accept(*listener);
        for (auto &loop : server->loops) server->guards.push_back(net::make_work_guard(loop->io));
        for (auto &loop : server->loops) {
            auto *raw = loop.get();
            loop->thread = std::thread([raw] {
                running_loop = raw;
                raw->run();
            });
        }
        server->owner = server;
        return server.get();
    } catch (const StartFailure &failure) {
        *outcome = failure.outcome;
        copy_text(failure.text, error, size);
    } catch (const std::exception &failure) {
        *outcome = MW_OTHER;
        copy_text(failure.what(), error, size);
    }
    *port = trying;
    for (auto &loop : server->loops) loop->io.stop();
    server->tear_down();
    server->loops.clear();
    return nullptr;
}

size_t mw_server_stop(mw_server *server, int drain_ms) {
    if (server->stopped.exchange(true)) return 0;
    server->draining = true;
    net::post(server->loops[0]->io, [server] {
        for (auto &listener : server->listeners) listener->close();
    });
    auto on_sessions = [server](void (*act)(Session &)) {
        for (auto &loop : server->loops) {
            net::post(loop->io, [raw = loop.get(), act] {
                std::vector<std::shared_ptr<Session>> all;
                for (auto *session : raw->sessions) all.push_back(session->shared_from_this());
                for (auto &session : all) act(*session);
            });
        }
    };
    on_sessions([](Session &session) { session.drain(); });
    size_t rest = 0;
    {
        std::unique_lock<std::mutex> lock(server->mutex);
        server->emptied.wait_for(lock, milliseconds(drain_ms), [server] { return server->connections == 0; });
        rest = server->connections;
        lock.unlock();
        if (rest > 0) on_sessions([](Session &session) { session.cut(); });
        lock.lock();
        // Streams learn of the cut on the loop, so the loops go on until they have been told.
        server->emptied.wait_for(lock, milliseconds(2000), [server] { return server->connections == 0; });
    }
    server->guards.clear();
    for (auto &loop : server->loops) {
        net::post(loop->io, [raw = loop.get()] {
            raw->sweep.cancel();
            raw->io.stop();
        });
    }
    server->tear_down();
    return rest;
}

void mw_server_free(mw_server *server) {
    mw_server_stop(server, 0);
    auto last = std::move(server->owner);
    server->loops.clear();
}

mw_outcome mw_server_reload_tls(mw_server *server, char *error, size_t size) {
    try {
        server->load_tls();
        return MW_OK;
    } catch (const StartFailure &failure) {
        copy_text(failure.text, error, size);
        return failure.outcome;
    } catch (const std::exception &failure) {
        copy_text(failure.what(), error, size);
        return MW_OTHER;
    }
}

size_t mw_server_connections(const mw_server *server) { return server->connections; }

}  // extern "C"
