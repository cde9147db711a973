// Sessions on their loop: their seats, and the sweep that finds those whose time is over.
#include "internal.hpp"

namespace transport {

namespace {

void sweep(Loop &loop) {
    if (loop.sweeping) return;
    loop.sweeping = true;
    auto &options = loop.server->options;
    int least = std::min(std::min(options.header_timeout_ms, options.body_timeout_ms),
                         std::min(options.idle_timeout_ms, options.write_timeout_ms));
    loop.sweep.expires_after(milliseconds(std::max(5, std::min(100, least / 4))));
    loop.sweep.async_wait([&loop](error_code error) {
        loop.sweeping = false;
        if (error) return;
        auto now = Clock::now();
        std::vector<std::shared_ptr<Session>> expired;
        for (auto *session : loop.sessions)
            if (session->due(now)) expired.push_back(session->shared_from_this());
        for (auto &session : expired) session->expire();
        if (!loop.sessions.empty()) sweep(loop);
    });
}

}  // namespace

void Seat::leave() {
    if (auto of = std::move(server)) of->left();
}

Session::Session(Arrival arrival)
    : loop(std::move(arrival.loop)), seat(std::move(arrival.seat)), remote(std::move(arrival.remote)),
      client_subject(std::move(arrival.client_subject)) {
    place = loop->sessions.insert(loop->sessions.end(), this);
    sweep(*loop);
}

Session::~Session() { leave(); }

void Session::leave() {
    if (!listed) return;
    listed = false;
    loop->sessions.erase(place);
    seat.leave();
}

const mw_server_options &Session::options() const { return loop->server->options; }

bool Session::draining() const { return loop->server->draining.load(std::memory_order_relaxed); }

int Session::with_rate(int timeout_ms, size_t bytes) const {
    return timeout_ms + static_cast<int>(std::min<size_t>(bytes / std::max(1, options().minimum_rate), 1 << 20) * 1000);
}

}  // namespace transport
