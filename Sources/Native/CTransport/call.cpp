// The C face of calls of HTTP/2.
#include "http2.hpp"

using namespace transport;

namespace {

constexpr size_t call_full = 262144;
constexpr size_t kept_bytes = 16384;

/// A call kept alive until this goes.
class Kept {
    mw_call *call;

  public:
    explicit Kept(mw_call *of) : call(of) { mw_call_retain(call); }
    Kept(const Kept &other) : Kept(other.call) {}
    Kept &operator=(const Kept &) = delete;
    ~Kept() { mw_call_release(call); }
    mw_call &operator*() const { return *call; }
    mw_call *operator->() const { return call; }
};

/// Called with the lock of the call held; false where its answer was begun before.
bool begin(mw_call &call, int status, const mw_field *fields, size_t count) {
    if (call.begun) return false;
    call.begun = true;
    call.status = status;
    for (size_t index = 0; index < count; index++)
        call.head.add(fields[index].name.data, fields[index].name.size, fields[index].value.data, fields[index].value.size);
    return true;
}

int filled(mw_call &call) {
    if (call.pending.size() <= call_full) return 1;
    call.full = true;
    return 2;
}

}  // namespace

void FieldList::add(const char *name, size_t name_size, const char *value, size_t value_size) {
    entries.push_back({static_cast<uint32_t>(text.size()), static_cast<uint32_t>(name_size), static_cast<uint32_t>(value_size)});
    text.append(name, name_size);
    text.append(value, value_size);
}

mw_field FieldList::at(size_t index) const {
    auto &entry = entries[index];
    return {{text.data() + entry.start, entry.name}, {text.data() + entry.start + entry.name, entry.value}};
}

mw_slice FieldList::find(const char *name, size_t size) const {
    for (auto &entry : entries)
        if (entry.name == size && memcmp(text.data() + entry.start, name, size) == 0)
            return {text.data() + entry.start + entry.name, entry.value};
    return {nullptr, 0};
}

void FieldList::clear() {
    text.clear();
    entries.clear();
}

void FieldList::append_to(std::vector<nghttp2_nv> &list) const {
    auto bytes = [](mw_slice part) { return reinterpret_cast<uint8_t *>(const_cast<char *>(part.data)); };
    for (size_t index = 0; index < entries.size(); index++) {
        auto field = at(index);
        list.push_back({bytes(field.name), bytes(field.value), field.name.size, field.value.size, NGHTTP2_NV_FLAG_NONE});
    }
}

void mw_call::release() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    alive->fetch_sub(1, std::memory_order_relaxed);
    delete this;
}

void mw_call::recycle() {
    fields.clear();
    head.clear();
    trailers.clear();
    field_bytes = received = held = sent = sent_before = 0;
    intake = MW_INTAKE_DUE;
    intake_since = sent_since = {};
    whole = over = late = submitted = deferred = finished = done = false;
    begun = ended = gone = full = kicked = false;
    tag = 0;
}

void mw_call::kick() {
    if (!begun || kicked || gone) return;
    kicked = true;
    net::post(loop->io, [keep = Kept(this)] {
        if (keep->connection) keep->connection->answer(*keep);
    });
}

extern "C" {

mw_slice mw_call_field(const mw_call *call, const char *name, size_t size) { return call->fields.find(name, size); }
size_t mw_call_field_count(const mw_call *call) { return call->fields.size(); }

mw_field mw_call_field_at(const mw_call *call, size_t index) {
    if (index >= call->fields.size()) return {};
    return call->fields.at(index);
}

mw_slice mw_call_remote(const mw_call *call) { return call->connection ? slice(call->connection->remote) : mw_slice{}; }

mw_slice mw_call_client_subject(const mw_call *call) {
    return call->connection ? slice(call->connection->client_subject) : mw_slice{};
}

mw_slice mw_call_body(const mw_call *call) { return {call->body.data(), call->body.size()}; }
int mw_call_is_whole(const mw_call *call) { return call->whole; }
int mw_call_is_over(const mw_call *call) { return call->over; }

int mw_call_is_answered(mw_call *call) {
    std::lock_guard<std::mutex> lock(call->mutex);
    return call->begun;
}

void mw_call_consume(mw_call *call, size_t size) {
    size = std::min(size, call->body.size());
    if (call->connection) call->connection->buffered -= size;
    call->body.consume(size);
    if (call->body.empty()) call->body.clear(kept_bytes);
}

void mw_call_reserve(mw_call *call, size_t size) {
    if (size > call->body.size()) call->body.room(size - call->body.size());
}

void mw_call_set_tag(mw_call *call, int64_t tag) { call->tag = tag; }
int64_t mw_call_tag(const mw_call *call) { return call->tag; }
void mw_call_set_owner(mw_call *call, void *owner) { call->owner = owner; }
void *mw_call_owner(const mw_call *call) { return call->owner; }

void mw_call_deadline(mw_call *call, int64_t after_ms) {
    if (!call->connection || call->timer) return;
    call->timer.emplace(call->loop->io);
    call->timer->expires_after(milliseconds(std::max<int64_t>(0, after_ms)));
    call->timer->async_wait([keep = Kept(call)](error_code error) {
        if (error || !keep->connection || keep->done) return;
        auto &limits = keep->connection->options();
        keep->connection->handing_over([&] { limits.on_call_late(limits.context, &*keep); });
    });
}

void mw_call_retain(mw_call *call) { call->references.fetch_add(1, std::memory_order_relaxed); }
void mw_call_release(mw_call *call) { call->release(); }
int mw_call_loop(const mw_call *call) { return call->loop->index; }

void mw_call_post(mw_call *call, void (*run)(void *), void *context) {
    net::post(call->loop->io, [keep = Kept(call), run, context] {
        if (!keep->connection) return run(context);
        keep->connection->handing_over([&] { run(context); });
    });
}

void mw_call_set_intake(mw_call *call, mw_intake intake) {
    on_loop(*call->loop, [keep = Kept(call), intake] {
        if (keep->connection) keep->connection->take_intake(*keep, intake);
    });
}

void mw_call_begin(mw_call *call, int status, const mw_field *fields, size_t count) {
    std::lock_guard<std::mutex> lock(call->mutex);
    if (!begin(*call, status, fields, count)) return;
    // On the loop more of the answer follows at once.
    if (current_loop() != call->loop.get()) call->kick();
}

void mw_call_answer(mw_call *call, int status, const mw_field *fields, size_t count) {
    {
        std::lock_guard<std::mutex> lock(call->mutex);
        if (!begin(*call, status, fields, count)) return;
        call->ended = true;
        if (current_loop() != call->loop.get()) return call->kick();
    }
    if (call->connection) call->connection->answer(*call);
}

int mw_call_write(mw_call *call, mw_slice head, mw_slice bytes) {
    std::lock_guard<std::mutex> lock(call->mutex);
    if (call->gone || call->ended) return 0;
    call->pending.append(head.data, head.size);
    call->pending.append(bytes.data, bytes.size);
    call->kick();
    return filled(*call);
}

void *mw_call_buffer(mw_call *call, size_t capacity) {
    std::lock_guard<std::mutex> lock(call->mutex);
    return call->begun ? nullptr : call->pending.room(capacity);
}

int mw_call_commit(mw_call *call, size_t size) {
    std::lock_guard<std::mutex> lock(call->mutex);
    if (call->gone || call->ended) return 0;
    call->pending.grew(size);
    call->kick();
    return filled(*call);
}

void mw_call_end(mw_call *call, const mw_field *trailers, size_t count) {
    {
        std::lock_guard<std::mutex> lock(call->mutex);
        if (call->ended) return;
        call->ended = true;
        for (size_t index = 0; index < count; index++)
            call->trailers.add(
                trailers[index].name.data, trailers[index].name.size, trailers[index].value.data, trailers[index].value.size);
        if (current_loop() != call->loop.get()) return call->kick();
    }
    if (call->connection) call->connection->answer(*call);
}

void mw_call_reset(mw_call *call, uint32_t error_code) {
    on_loop(*call->loop, [keep = Kept(call), error_code] {
        if (!keep->connection) return;
        nghttp2_submit_rst_stream(keep->connection->session, NGHTTP2_FLAG_NONE, keep->stream, error_code);
        keep->connection->flush();
    });
}

}  // extern "C"
