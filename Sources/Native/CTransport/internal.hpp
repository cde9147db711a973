// What the files of the transport share: loops, sessions on them, and the server that owns both.
#pragma once
#include "include/CTransport.h"

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <sched.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace transport {

namespace net = boost::asio;
using tcp = net::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using SecureStream = net::ssl::stream<tcp::socket>;

struct Session;

struct Loop {
    net::io_context io{1};
    net::steady_timer sweep{io};
    std::thread thread;
    std::shared_ptr<mw_server> server;  // an exchange may be answered after the server has been freed
    int index = 0;
    std::list<Session *> sessions;
    bool sweeping = false;
    char date[64] = {};
    time_t date_second = 0;
    std::mutex jobs_mutex;
    std::deque<std::pair<void (*)(void *), void *>> jobs;
    bool takes_jobs = true;

    // Every job that was taken is run, by `end_jobs` where the loop has stopped before.
    bool next_job(std::pair<void (*)(void *), void *> &job) {
        std::lock_guard<std::mutex> lock(jobs_mutex);
        if (jobs.empty()) return false;
        job = jobs.front();
        jobs.pop_front();
        return true;
    }

    void end_jobs() {
        {
            std::lock_guard<std::mutex> lock(jobs_mutex);
            takes_jobs = false;
        }
        std::pair<void (*)(void *), void *> job;
        while (next_job(job)) job.first(job.second);
    }

    // A lone peer that sends its next request as soon as it has the answer finds the loop awake: waking a thread up costs
    // more than answering most requests. The loop stays awake only where that has just proved worth it, and lets others
    // have the processor meanwhile.
    void run() {
        constexpr auto patience = std::chrono::microseconds(120);
        bool hopes = false;
        while (!io.stopped()) {
            if (io.poll() > 0) continue;
            auto idle_since = Clock::now();
            bool met = false;
            while (hopes && sessions.size() == 1 && !met && Clock::now() - idle_since < patience) {
                sched_yield();
                met = io.poll() > 0;
            }
            if (met) continue;
            io.run_one();
            hopes = Clock::now() - idle_since < patience;
        }
    }

    const char *http_date() {
        time_t now = time(nullptr);
        if (now != date_second) {
            tm parts;
            gmtime_r(&now, &parts);
            strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
            date_second = now;
        }
        return date;
    }
};

/// The loop that runs on this thread, if any.
Loop *current_loop();

/// Runs `work` on a loop: in place on its own thread, posted from others.
template <class Work>
void on_loop(Loop &loop, Work &&work) {
    if (current_loop() == &loop) return work();
    net::post(loop.io, std::forward<Work>(work));
}

/// A place among the connections that the server puts up with, given back when it goes.
class Seat {
    std::shared_ptr<mw_server> server;

  public:
    explicit Seat(std::shared_ptr<mw_server> of) : server(std::move(of)) {}
    Seat(Seat &&) = default;
    Seat &operator=(Seat &&) = delete;
    ~Seat() { leave(); }
    void leave();
};

/// What a connection brings along from before its protocol began.
struct Arrival {
    std::shared_ptr<Loop> loop;
    Seat seat;
    std::string remote;
    std::string client_subject;
};

/// A connection in whatever protocol, as its loop sees it.
struct Session : std::enable_shared_from_this<Session> {
    std::shared_ptr<Loop> loop;  // first: the io_context must outlive the socket of the session
    Seat seat;
    std::string remote;
    std::string client_subject;
    Clock::time_point deadline = Clock::time_point::max();
    std::list<Session *>::iterator place;
    bool listed = true;

    explicit Session(Arrival arrival);
    virtual ~Session();

    virtual void begin() = 0;
    /// Whether `expire` is to be called at this moment.
    virtual bool due(Clock::time_point now) { return deadline <= now; }
    virtual void expire() = 0;
    virtual void cut() = 0;
    /// Ends as soon as what is under way has been answered.
    virtual void drain() = 0;

    const mw_server_options &options() const;
    bool draining() const;
    /// A time limit that a peer as fast as asked for can keep for so many bytes.
    int with_rate(int timeout_ms, size_t bytes) const;
    void leave();
    /// What is handed to the session of another protocol that takes this one's place.
    Arrival hand_over() { return {loop, std::move(seat), std::move(remote), std::move(client_subject)}; }
};

std::shared_ptr<Session> http1(Arrival arrival, tcp::socket socket);
std::shared_ptr<Session> http1(Arrival arrival, SecureStream stream);
std::shared_ptr<Session> http2(Arrival arrival, tcp::socket socket);
std::shared_ptr<Session> http2(Arrival arrival, SecureStream stream);
/// Shakes hands, then goes on in the protocol that both sides chose.
std::shared_ptr<Session> handshake(Arrival arrival, tcp::socket socket, net::ssl::context &context);

/// A port that the server listens on.
struct Listener {
    tcp::acceptor acceptor;
    net::steady_timer pause;
    std::shared_ptr<net::ssl::context> tls;  // read and replaced atomically: connections of every loop start with it
    bool http2;

    Listener(net::io_context &io, bool speaks_http2) : acceptor(io), pause(io), http2(speaks_http2) {}
    void open(const std::string &host, uint16_t port);
    void close();
};

struct StartFailure {
    mw_outcome outcome;
    std::string text;
};

/// The certificate, key and client authorities of a server, read from their files.
std::shared_ptr<net::ssl::context> read_tls(const mw_server &server, bool http2_only);

inline mw_slice slice(const std::string &text) { return {text.data(), text.size()}; }

}  // namespace transport

struct mw_server : std::enable_shared_from_this<mw_server> {
    std::shared_ptr<mw_server> owner;
    mw_server_options options;
    std::string host, certificate, key, client_ca;
    std::vector<std::shared_ptr<transport::Loop>> loops;
    std::vector<std::unique_ptr<transport::Listener>> listeners;
    std::vector<transport::net::executor_work_guard<transport::net::io_context::executor_type>> guards;
    std::atomic<size_t> connections{0};
    std::atomic<bool> draining{false};
    std::atomic<bool> stopped{false};
    std::mutex mutex;
    std::condition_variable emptied;
    size_t next_loop = 0;

    void load_tls();
    void accept(transport::Listener &listener);
    void take(transport::tcp::socket socket, const transport::Listener &listener, size_t index);
    void left();
    void tear_down();
};
