// HTTP/2 connections: what nghttp2 is told, what it tells, and what a peer may cost.
#include "http2.hpp"

#include <cstdio>

namespace transport {

namespace {

constexpr size_t first_input = 16384;
constexpr size_t large_input = 131072;
constexpr size_t output_least = 65536;
constexpr size_t kept_output = 262144;
constexpr int direct_writes = 4;
constexpr size_t kept_bytes = 16384;
constexpr size_t room_again = 65536;
constexpr size_t spare_limit = 64;
constexpr int32_t stream_window = 4 << 20;
constexpr int32_t connection_window = 16 << 20;
/// Frames that ask for nothing, in a row, with no answer sent between them.
constexpr size_t idle_frame_limit = 2000;
constexpr size_t outbound_limit = 2000;
constexpr int leave_ms = 2000;
/// Streams that a peer may give up at once, and in a second; what is still worked on for them is bounded by itself.
constexpr size_t reset_limit = 1000;

Http2 &of(void *user) { return *static_cast<Http2 *>(user); }

ssize_t read_call(nghttp2_session *, int32_t, uint8_t *, size_t room, uint32_t *flags, nghttp2_data_source *source, void *user) {
    return of(user).next_bytes(*static_cast<mw_call *>(source->ptr), room, flags);
}

/// What every session is told to call; made once for each, since nghttp2 copies it.
void set_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        callbacks, [](nghttp2_session *, const nghttp2_frame *frame, void *user) { return of(user).began_headers(frame); });
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session *, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                      const uint8_t *value, size_t value_size, uint8_t, void *user) {
            return of(user).took_header(
                frame, {reinterpret_cast<const char *>(name), name_size}, {reinterpret_cast<const char *>(value), value_size});
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session *, uint8_t, int32_t stream, const uint8_t *bytes, size_t size, void *user) {
            return of(user).took_data(stream, {reinterpret_cast<const char *>(bytes), size});
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session *, const nghttp2_frame *frame, void *user) { return of(user).took_frame(frame); });
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, [](nghttp2_session *, const nghttp2_frame *frame, void *user) {
        of(user).sent_frame(frame);
        return 0;
    });
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, [](nghttp2_session *, int32_t stream, uint32_t, void *user) {
        of(user).closed_stream(stream);
        return 0;
    });
    nghttp2_session_callbacks_set_send_data_callback(
        callbacks, [](nghttp2_session *, nghttp2_frame *, const uint8_t *head, size_t size, nghttp2_data_source *source, void *user) {
            of(user).send_bytes(*static_cast<mw_call *>(source->ptr), head, size);
            return 0;
        });
}

}  // namespace

Http2::Http2(Arrival arrival) : Session(std::move(arrival)), input(first_input), since(Clock::now()) {
    nghttp2_session_callbacks *callbacks = nullptr;
    nghttp2_option *option = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        throw std::bad_alloc();
    }
    set_callbacks(callbacks);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    // Counted here, so that the peer is told why.
    nghttp2_option_set_stream_reset_rate_limit(option, reset_limit * 100, reset_limit * 100);
    int outcome = nghttp2_session_server_new2(&session, callbacks, this, option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (outcome != 0) throw std::bad_alloc();
}

Http2::~Http2() {
    for (auto *call : spare) delete call;
    nghttp2_session_del(session);
}

void Http2::begin() {
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<uint32_t>(options().stream_limit)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options().header_limit)},
    };
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, connection_window);
    if (draining()) drain();
    flush();
    read_on();
}

// MARK: Bytes in and out

void Http2::read_on() {
    if (closed || parked) return;
    // A peer that sends without reading what is sent to it.
    if (writing && nghttp2_session_get_outbound_queue_size(session) > outbound_limit) {
        parked = true;
        return;
    }
    start_read();
}

bool Http2::received(size_t count) {
    if (closing) return true;
    heard = true;
    busy = true;
    ssize_t outcome = nghttp2_session_mem_recv(session, input.data(), count);
    busy = false;
    if (outcome < 0) {
        if (options().on_refused) options().on_refused(options().context, 400);
        cut();
        return false;
    }
    if (count == input.size() && count < large_input) input.resize(large_input);
    flush();
    return !closed;
}

void Http2::flush() {
    if (busy || writing || closed || closing) return;
    for (int turn = 0; fill_output(); turn++) {
        // Nearly all answers fit into the socket's buffer, and need no turn of the loop. A peer that reads as fast as it
        // is sent to does not keep the loop from the others for long.
        if (turn < direct_writes && write_now()) continue;
        writing = true;
        write_deadline = Clock::now() + milliseconds(with_rate(options().write_timeout_ms, output.size()));
        return start_write();
    }
    if (closed) return;
    if (!nghttp2_session_want_read(session) && !nghttp2_session_want_write(session)) {
        // What the peer still sends is read away for a while: closing a socket with unread bytes resets it, and the peer
        // might never see why.
        closing = true;
        write_deadline = Clock::now() + milliseconds(leave_ms);
        close_sending();
        if (parked) {
            parked = false;
            read_on();
        }
    }
}

bool Http2::fill_output() {
    busy = true;
    ssize_t count = 0;
    const uint8_t *bytes = nullptr;
    if (output.capacity() > kept_output) std::string().swap(output);
    while (output.size() < output_least && (count = nghttp2_session_mem_send(session, &bytes)) > 0)
        output.append(reinterpret_cast<const char *>(bytes), static_cast<size_t>(count));
    busy = false;
    if (count < 0) cut();
    return !closed && !output.empty();
}

void Http2::written(error_code error) {
    writing = false;
    output.clear();
    if (error) return cut();
    flush();
    if (!parked) return;
    parked = false;
    read_on();
}

void Http2::cut() {
    if (closed) return;
    closed = true;
    auto keep = shared_from_this();
    close_socket();
    leave();
    while (!calls.empty()) close_call(*calls.back());
}

void Http2::drain() {
    if (closed || closing || farewell != open) return;
    if (!greeted) return cut();
    farewell = noticed;
    since = Clock::now();
    // Requests that are on their way are still taken: those that come before the answer to the ping.
    nghttp2_submit_shutdown_notice(session);
    nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, nullptr);
    flush();
}

void Http2::say_goodbye() {
    if (farewell == leaving) return;
    farewell = leaving;
    nghttp2_submit_goaway(
        session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2::refuse_flood() {
    if (farewell == leaving) return;
    farewell = leaving;
    if (options().on_refused) options().on_refused(options().context, 429);
    nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

// MARK: Time

void Http2::expire() {
    if (closed) return;
    auto now = Clock::now();
    if (is_overdue(now)) return cut();
    if (closing) return;
    if (farewell == noticed && now - since > milliseconds(leave_ms)) say_goodbye();
    auto open_calls = calls;
    for (auto *call : open_calls) {
        if (std::find(calls.begin(), calls.end(), call) != calls.end()) look_at(*call, now);
        if (closed) return;
    }
    flush();
}

bool Http2::is_overdue(Clock::time_point now) {
    auto &limits = options();
    if ((writing || closing) && now > write_deadline) return true;
    if (!greeted) return now - since > milliseconds(limits.header_timeout_ms);
    if (heading && heading_since == Clock::time_point()) heading_since = now;
    if (heading && now - heading_since > milliseconds(limits.header_timeout_ms)) return true;
    if (heard) {
        heard = pinged = false;
        quiet_since = now;
    }
    if (!calls.empty()) {
        since = now;
        // Streams may be silent for hours; whether the peer is still there shows its answer to a ping.
        if (!pinged && now - quiet_since > milliseconds(limits.idle_timeout_ms)) {
            pinged = true;
            quiet_since = now;
            nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, nullptr);
        }
        return pinged && now - quiet_since > milliseconds(limits.header_timeout_ms);
    }
    if (now - since > milliseconds(limits.idle_timeout_ms)) say_goodbye();
    return now - since > milliseconds(limits.idle_timeout_ms + limits.header_timeout_ms);
}

void Http2::look_at(mw_call &call, Clock::time_point now) {
    auto &limits = options();
    if (!call.whole && !call.done && !call.late && call.intake == MW_INTAKE_DUE) {
        if (call.intake_since == Clock::time_point()) call.intake_since = now;
        if (now - call.intake_since > milliseconds(with_rate(limits.body_timeout_ms, call.received))) {
            call.late = true;
            handing_over([&] { limits.on_call_late(limits.context, &call); });
            if (closed || !call.connection) return;
        }
    }
    bool waits = false;
    {
        std::lock_guard<std::mutex> lock(call.mutex);
        waits = call.submitted && !call.finished && !call.pending.empty();
    }
    if (!waits || call.sent != call.sent_before || call.sent_since == Clock::time_point()) {
        call.sent_before = call.sent;
        call.sent_since = now;
    } else if (now - call.sent_since > milliseconds(limits.write_timeout_ms)) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call.stream, NGHTTP2_CANCEL);
    }
}

// MARK: What nghttp2 calls

int Http2::began_headers(const nghttp2_frame *frame) {
    heading = frame->hd.stream_id;
    heading_since = Clock::time_point();
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    // What was reset may still be worked on: a peer that resets at once what it asks for gets no further that way.
    if (alive->load(std::memory_order_relaxed) >= options().stream_limit * 2) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, make_call(frame->hd.stream_id));
    return 0;
}

int Http2::took_header(const nghttp2_frame *frame, mw_slice name, mw_slice value) {
    auto *call = find(frame->hd.stream_id);
    if (!call) return 0;
    call->field_bytes += name.size + value.size + 32;
    if (call->field_bytes > options().header_limit) {
        if (call->field_bytes > options().header_limit * 8) refuse_flood();
        return 0;
    }
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) call->fields.add(name.data, name.size, value.data, value.size);
    return 0;
}

int Http2::took_data(int32_t stream, mw_slice bytes) {
    nghttp2_session_consume_connection(session, bytes.size);
    auto *call = find(stream);
    if (!call || call->done || buffered + bytes.size > options().body_memory) {
        if (call && !call->done) call->over = true;
        nghttp2_session_consume_stream(session, stream, bytes.size);
        return 0;
    }
    call->body.append(bytes.data, bytes.size);
    call->received += bytes.size;
    buffered += bytes.size;
    if (call->intake == MW_INTAKE_HELD) {
        call->held += bytes.size;
    } else {
        nghttp2_session_consume_stream(session, stream, bytes.size);
    }
    return 0;
}

int Http2::took_frame(const nghttp2_frame *frame) {
    if (farewell == leaving && closing) return 0;
    auto &limits = options();
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: {
        heading = 0;
        auto *call = find(frame->hd.stream_id);
        if (!call) return 0;
        if (call->field_bytes > limits.header_limit) {
            refuse(*call, 431);
            return 0;
        }
        if (ends) call->whole = true;
        call->references.fetch_add(1, std::memory_order_relaxed);
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) limits.on_call(limits.context, call);
        if (ends && !call->done) limits.on_call_bytes(limits.context, call);
        call->release();
        return 0;
    }
    case NGHTTP2_DATA: {
        auto *call = find(frame->hd.stream_id);
        if (frame->hd.length == 0 && !ends) idle_frames++;
        if (!call || call->done) break;
        if (ends) call->whole = true;
        call->references.fetch_add(1, std::memory_order_relaxed);
        limits.on_call_bytes(limits.context, call);
        call->release();
        break;
    }
    case NGHTTP2_RST_STREAM: {
        auto now = Clock::now();
        auto passed = std::chrono::duration_cast<milliseconds>(now - reset_since).count();
        if (auto allowed = static_cast<size_t>(std::min<int64_t>(passed, 1000)) * reset_limit / 1000) {
            resets -= std::min(resets, allowed);
            reset_since = now;
        }
        if (++resets > reset_limit) refuse_flood();
        break;
    }
    case NGHTTP2_SETTINGS: greeted = true; idle_frames++; break;
    case NGHTTP2_PING:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) idle_frames++;
        else if (farewell == noticed) say_goodbye();
        break;
    case NGHTTP2_WINDOW_UPDATE: break;
    default: idle_frames++; break;
    }
    if (idle_frames > idle_frame_limit) refuse_flood();
    return 0;
}

void Http2::sent_frame(const nghttp2_frame *frame) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return;
    idle_frames = 0;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return;
    auto *call = find(frame->hd.stream_id);
    if (!call) return;
    call->finished = true;
    // The answer is out; nobody waits for the rest of the request.
    if (!call->whole) nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_NO_ERROR);
}

void Http2::closed_stream(int32_t stream) {
    if (heading == stream) heading = 0;
    if (auto *call = find(stream)) close_call(*call);
}

ssize_t Http2::next_bytes(mw_call &call, size_t room, uint32_t *flags) {
    std::lock_guard<std::mutex> lock(call.mutex);
    size_t count = std::min(room, call.pending.size());
    if (count == 0 && !call.ended) {
        call.deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (call.ended && count == call.pending.size()) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (call.trailers.size() > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            std::vector<nghttp2_nv> list;
            call.trailers.append_to(list);
            nghttp2_submit_trailer(session, call.stream, list.data(), list.size());
        }
    }
    return static_cast<ssize_t>(count);
}

void Http2::send_bytes(mw_call &call, const uint8_t *head, size_t size) {
    bool room = false;
    {
        std::lock_guard<std::mutex> lock(call.mutex);
        output.append(reinterpret_cast<const char *>(head), 9);
        output.append(call.pending.data(), size);
        call.pending.consume(size);
        call.sent += size;
        if (call.full && call.pending.size() <= room_again) {
            call.full = false;
            room = true;
        }
    }
    if (room) options().on_call_room(options().context, &call);
}

// MARK: Calls

mw_call *Http2::make_call(int32_t stream) {
    mw_call *call;
    if (spare.empty()) {
        call = new mw_call();
        call->loop = loop;
        call->alive = alive;
    } else {
        call = spare.back();
        spare.pop_back();
        call->references = 1;
    }
    call->stream = stream;
    call->connection = this;
    call->place = calls.size();
    calls.push_back(call);
    alive->fetch_add(1, std::memory_order_relaxed);
    return call;
}

mw_call *Http2::find(int32_t stream) const {
    return static_cast<mw_call *>(nghttp2_session_get_stream_user_data(session, stream));
}

void Http2::close_call(mw_call &call) {
    if (!closed) nghttp2_session_set_stream_user_data(session, call.stream, nullptr);
    calls.back()->place = call.place;
    std::swap(calls[call.place], calls.back());
    calls.pop_back();
    if (calls.empty()) since = Clock::now();
    forget_body(call);
    call.timer.reset();
    call.done = true;
    bool gone = !call.finished;
    {
        std::lock_guard<std::mutex> lock(call.mutex);
        call.gone = true;
        call.pending.clear(kept_bytes);
        call.connection = nullptr;
    }
    if (auto *owner = std::exchange(call.owner, nullptr)) options().on_call_closed(options().context, &call, owner, gone);
    if (spare.size() < spare_limit && call.references.load(std::memory_order_acquire) == 1) {
        alive->fetch_sub(1, std::memory_order_relaxed);
        call.recycle();
        spare.push_back(&call);
    } else {
        call.release();
    }
}

void Http2::forget_body(mw_call &call) {
    buffered -= call.body.size();
    call.body.clear(kept_bytes);
    give_back(call, call.held);
}

void Http2::give_back(mw_call &call, size_t size) {
    call.held -= size;
    if (size && !closed) nghttp2_session_consume_stream(session, call.stream, size);
}

void Http2::take_intake(mw_call &call, mw_intake intake) {
    if (call.intake == intake) return;
    call.intake = intake;
    call.received = 0;
    call.intake_since = Clock::time_point();
    if (intake == MW_INTAKE_HELD || call.held == 0) return;
    give_back(call, call.held);
    flush();
}

void Http2::refuse(mw_call &call, int status) {
    if (options().on_refused) options().on_refused(options().context, status);
    mw_call_answer(&call, status, nullptr, 0);
}

void Http2::answer(mw_call &call) {
    if (closed || !call.connection) return;
    bool first = false, whole = false, resume = false;
    {
        std::lock_guard<std::mutex> lock(call.mutex);
        call.kicked = false;
        first = call.begun && !call.submitted;
        whole = call.ended && call.pending.empty() && call.trailers.size() == 0;
        resume = call.submitted && call.deferred && (call.ended || !call.pending.empty());
        if (call.ended) call.done = true;
    }
    if (first) {
        call.submitted = true;
        char status[8];
        int length = snprintf(status, sizeof status, "%03d", call.status);
        std::vector<nghttp2_nv> list;
        static const char name[] = ":status";
        list.push_back({reinterpret_cast<uint8_t *>(const_cast<char *>(name)), reinterpret_cast<uint8_t *>(status),
                        sizeof name - 1, static_cast<size_t>(length), NGHTTP2_NV_FLAG_NONE});
        call.head.append_to(list);
        nghttp2_data_provider provider{{}, read_call};
        provider.source.ptr = &call;
        nghttp2_submit_response(session, call.stream, list.data(), list.size(), whole ? nullptr : &provider);
    } else if (resume) {
        call.deferred = false;
        nghttp2_session_resume_data(session, call.stream);
    }
    flush();
}

}  // namespace transport
