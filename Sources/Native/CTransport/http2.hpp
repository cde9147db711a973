// HTTP/2: connections, framed by nghttp2, and the calls on them.
#pragma once
#include "bytes.hpp"
#include "internal.hpp"

#include <nghttp2/nghttp2.h>

namespace transport {

struct Http2;

/// Header fields in one text.
class FieldList {
    struct Entry {
        uint32_t start, name, value;
    };
    std::string text;
    std::vector<Entry> entries;

  public:
    void add(const char *name, size_t name_size, const char *value, size_t value_size);
    size_t size() const { return entries.size(); }
    mw_field at(size_t index) const;
    mw_slice find(const char *name, size_t size) const;
    void clear();
    /// The fields as nghttp2 takes them, behind those that `list` has already.
    void append_to(std::vector<nghttp2_nv> &list) const;
};

}  // namespace transport

struct mw_call {
    std::atomic<int> references{1};  // the first is of the connection, while the stream is open
    std::shared_ptr<transport::Loop> loop;
    std::shared_ptr<std::atomic<size_t>> alive;  // calls of the connection that somebody still works on
    int32_t stream = 0;

    // Touched on the loop only.
    transport::Http2 *connection = nullptr;  // while the stream is open
    size_t place = 0;                        // among the calls of the connection
    transport::FieldList fields;
    size_t field_bytes = 0;
    transport::Bytes body;
    size_t received = 0;  // since the last change of the intake
    size_t held = 0;      // bytes whose window has not been given back
    mw_intake intake = MW_INTAKE_DUE;
    transport::Clock::time_point intake_since, sent_since;
    bool whole = false, over = false, late = false;
    int64_t tag = 0;
    void *owner = nullptr;
    std::optional<transport::net::steady_timer> timer;
    bool submitted = false, deferred = false, finished = false, done = false;
    size_t sent = 0, sent_before = 0;

    // The answer, given from any thread.
    std::mutex mutex;
    int status = 0;
    transport::FieldList head, trailers;
    transport::Bytes pending;
    bool begun = false, ended = false, gone = false, full = false, kicked = false;

    void release();
    /// Makes ready for the next request of its connection.
    void recycle();
    /// Lets the loop look at what has been given of the answer; `mutex` is held.
    void kick();
};

namespace transport {

struct Http2 : Session {
    nghttp2_session *session = nullptr;
    std::vector<uint8_t> input;
    std::string output;
    std::vector<mw_call *> calls;
    std::vector<mw_call *> spare;
    std::shared_ptr<std::atomic<size_t>> alive = std::make_shared<std::atomic<size_t>>(0);
    size_t buffered = 0;  // bytes of bodies
    size_t resets = 0, idle_frames = 0;
    Clock::time_point reset_since, heading_since, quiet_since, since, write_deadline;
    int32_t heading = 0;  // the stream whose header has begun to come
    bool greeted = false, busy = false, writing = false, parked = false, closing = false, closed = false;
    bool heard = false, pinged = false;
    enum { open, noticed, leaving } farewell = open;

    explicit Http2(Arrival arrival);
    ~Http2() override;

    void begin() override;
    bool due(Clock::time_point) override { return true; }
    /// Looks at every time limit of the connection and of its calls.
    void expire() override;
    void cut() override;
    void drain() override;

    /// Feeds what was read to nghttp2. False: the connection has been cut.
    bool received(size_t count);
    void read_on();
    void flush();
    // Whether there is anything to write.
    bool fill_output();
    void written(error_code error);
    void answer(mw_call &call);
    void take_intake(mw_call &call, mw_intake intake);
    void give_back(mw_call &call, size_t size);
    void forget_body(mw_call &call);
    void refuse_flood();

    /// Calls a handler, whose answers go out when it is done: what it reads belongs to a call that lives until then.
    template <class Work>
    void handing_over(Work &&work) {
        bool nested = std::exchange(busy, true);
        work();
        busy = nested;
        flush();
    }

    virtual void start_read() = 0;
    // Writes what the socket takes at once; whether that was all of the output.
    virtual bool write_now() = 0;
    virtual void start_write() = 0;
    virtual void close_sending() = 0;
    virtual void close_socket() = 0;

    // What nghttp2 calls.
    int began_headers(const nghttp2_frame *frame);
    int took_header(const nghttp2_frame *frame, mw_slice name, mw_slice value);
    int took_data(int32_t stream, mw_slice bytes);
    int took_frame(const nghttp2_frame *frame);
    void sent_frame(const nghttp2_frame *frame);
    void closed_stream(int32_t stream);
    ssize_t next_bytes(mw_call &call, size_t room, uint32_t *flags);
    void send_bytes(mw_call &call, const uint8_t *head, size_t size);

  private:
    mw_call *make_call(int32_t stream);
    mw_call *find(int32_t stream) const;
    void close_call(mw_call &call);
    void refuse(mw_call &call, int status);
    void look_at(mw_call &call, Clock::time_point now);
    bool is_overdue(Clock::time_point now);
    void say_goodbye();
};

}  // namespace transport
