// Compiled by scripts/setup against the headers of Arrow's wheel into libmwarrow.so. No exception leaves a function.
#include "CArrow.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int64_t batch_rows = 65536;
constexpr int64_t batch_bytes = 8 << 20;

int told(const arrow::Status &status, char *reason) {
    if (status.ok()) return 0;
    snprintf(reason, MW_ARROW_REASON_SIZE, "%s", status.message().c_str());
    return 1;
}

// Runs `body`, with what the standard library throws made a status.
template <typename Body> arrow::Status guarded(Body body) {
    try {
        return body();
    } catch (const std::exception &error) {
        return arrow::Status::UnknownError(error.what());
    }
}

// Hands on batches of which nothing is believed. Small ones are made one: the engine spends memory on each.
class CheckedReader : public arrow::RecordBatchReader {
  public:
    CheckedReader(
        std::shared_ptr<arrow::RecordBatchReader> source, int64_t rows_max, arrow::MemoryPool *pool,
        std::string *failure)
        : source_(std::move(source)), rows_left_(rows_max), rows_max_(rows_max), pool_(pool), failure_(failure) {}

    std::shared_ptr<arrow::Schema> schema() const override { return source_->schema(); }

    arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch> *out) override {
        auto status = guarded([&] { return Next(out); });
        if (!status.ok() && failure_->empty()) *failure_ = status.message().empty() ? "broken" : status.message();
        return status;
    }

  private:
    arrow::Status Next(std::shared_ptr<arrow::RecordBatch> *out) {
        if (waiting_.empty()) ARROW_RETURN_NOT_OK(Gather());
        out->reset();
        if (waiting_.empty()) return arrow::Status::OK();
        *out = std::move(waiting_.front());
        waiting_.pop_front();
        return arrow::Status::OK();
    }

    arrow::Status Gather() {
        std::vector<std::shared_ptr<arrow::RecordBatch>> found;
        int64_t rows = 0, bytes = 0;
        while (rows < batch_rows && bytes < batch_bytes) {
            std::shared_ptr<arrow::RecordBatch> batch;
            ARROW_RETURN_NOT_OK(source_->ReadNext(&batch));
            if (!batch) break;
            ARROW_RETURN_NOT_OK(Check(*batch));
            rows += batch->num_rows();
            bytes += arrow::util::TotalBufferSize(*batch);
            found.push_back(std::move(batch));
        }
        if (found.size() > 1) {
            auto joined = arrow::ConcatenateRecordBatches(found, pool_);
            // Some dictionaries can not be made one; such batches go on as they came.
            if (joined.ok()) found = {*joined};
        }
        waiting_.assign(found.begin(), found.end());
        return arrow::Status::OK();
    }

    arrow::Status Check(const arrow::RecordBatch &batch) {
        // Rows of some types take no bytes, so that their number alone could be anything.
        if (batch.num_rows() < 0 || batch.num_rows() > rows_left_)
            return arrow::Status::Invalid("it has more than ", rows_max_, " rows");
        rows_left_ -= batch.num_rows();
        return batch.ValidateFull();
    }

    std::shared_ptr<arrow::RecordBatchReader> source_;
    int64_t rows_left_;
    int64_t rows_max_;
    arrow::MemoryPool *pool_;
    std::string *failure_;
    std::deque<std::shared_ptr<arrow::RecordBatch>> waiting_;
};

class SinkStream : public arrow::io::OutputStream {
  public:
    SinkStream(mw_arrow_sink sink, void *context) : sink_(sink), context_(context) {}

    arrow::Status Close() override {
        closed_ = true;
        return arrow::Status::OK();
    }
    bool closed() const override { return closed_; }
    arrow::Result<int64_t> Tell() const override { return position_; }

    using arrow::io::OutputStream::Write;
    arrow::Status Write(const void *data, int64_t count) override {
        if (count <= 0) return arrow::Status::OK();
        if (sink_(context_, data, static_cast<size_t>(count)) != 0) return arrow::Status::Cancelled("not wanted");
        position_ += count;
        return arrow::Status::OK();
    }

  private:
    mw_arrow_sink sink_;
    void *context_;
    int64_t position_ = 0;
    bool closed_ = false;
};

arrow::Result<std::shared_ptr<arrow::DataType>> type_of(const mw_arrow_column &column) {
    switch (column.kind) {
    case MW_ARROW_BOOLEAN: return arrow::boolean();
    case MW_ARROW_INT64: return arrow::int64();
    case MW_ARROW_FLOAT: return arrow::float32();
    case MW_ARROW_DOUBLE: return arrow::float64();
    case MW_ARROW_TIMESTAMP: return arrow::timestamp(arrow::TimeUnit::MICRO);
    case MW_ARROW_TEXT: return arrow::utf8();
    case MW_ARROW_LIST: {
        if (!column.child) return arrow::Status::Invalid("a list without a type of elements");
        ARROW_ASSIGN_OR_RAISE(auto element, type_of(*column.child));
        return arrow::list(element);
    }
    }
    return arrow::Status::Invalid("an unknown kind of column");
}

std::shared_ptr<arrow::Buffer> view(const void *data, int64_t count) {
    static const uint8_t nothing[8] = {};
    return std::make_shared<arrow::Buffer>(data ? static_cast<const uint8_t *>(data) : nothing, data ? count : 0);
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> data_of(const mw_arrow_column &column) {
    ARROW_ASSIGN_OR_RAISE(auto type, type_of(column));
    int64_t bits = (column.count + 7) / 8;
    std::vector<std::shared_ptr<arrow::Buffer>> buffers{column.validity ? view(column.validity, bits) : nullptr};
    std::vector<std::shared_ptr<arrow::ArrayData>> children;
    switch (column.kind) {
    case MW_ARROW_BOOLEAN: buffers.push_back(view(column.values, bits)); break;
    case MW_ARROW_FLOAT: buffers.push_back(view(column.values, column.count * 4)); break;
    case MW_ARROW_INT64:
    case MW_ARROW_DOUBLE:
    case MW_ARROW_TIMESTAMP: buffers.push_back(view(column.values, column.count * 8)); break;
    case MW_ARROW_TEXT:
        buffers.push_back(view(column.offsets, (column.count + 1) * 4));
        buffers.push_back(view(column.values, column.offsets[column.count]));
        break;
    case MW_ARROW_LIST: {
        buffers.push_back(view(column.offsets, (column.count + 1) * 4));
        ARROW_ASSIGN_OR_RAISE(auto child, data_of(*column.child));
        children.push_back(child);
        break;
    }
    }
    return arrow::ArrayData::Make(type, column.count, std::move(buffers), std::move(children));
}

}  // namespace

struct mw_arrow_reader {
    // Freed in the opposite order: what was read goes before the pool that it lies in.
    arrow::ProxyMemoryPool counted{arrow::default_memory_pool()};
    arrow::CappedMemoryPool pool;
    std::string failure;
    ArrowArrayStream stream{};

    explicit mw_arrow_reader(int64_t memory_max) : pool(&counted, memory_max) {}
    ~mw_arrow_reader() {
        if (stream.release) stream.release(&stream);
    }
};

struct mw_arrow_writer {
    SinkStream output;
    std::shared_ptr<arrow::Schema> schema;
    std::shared_ptr<arrow::ipc::RecordBatchWriter> writer;
    std::vector<std::shared_ptr<arrow::RecordBatch>> gathered;
    int64_t rows = 0;
    int64_t bytes = 0;

    mw_arrow_writer(mw_arrow_sink sink, void *context) : output(sink, context) {}

    arrow::Status open() {
        auto options = arrow::ipc::IpcWriteOptions::Defaults();
        options.use_threads = false;
        ARROW_ASSIGN_OR_RAISE(writer, arrow::ipc::MakeStreamWriter(&output, schema, options));
        return arrow::Status::OK();
    }

    arrow::Status add(std::shared_ptr<arrow::RecordBatch> batch) {
        rows += batch->num_rows();
        bytes += arrow::util::TotalBufferSize(*batch);
        gathered.push_back(std::move(batch));
        return rows < batch_rows && bytes < batch_bytes ? arrow::Status::OK() : flush();
    }

    arrow::Status flush() {
        if (gathered.empty()) return arrow::Status::OK();
        auto batches = std::exchange(gathered, {});
        rows = bytes = 0;
        if (batches.size() == 1) return writer->WriteRecordBatch(*batches[0]);
        ARROW_ASSIGN_OR_RAISE(auto batch, arrow::ConcatenateRecordBatches(batches));
        return writer->WriteRecordBatch(*batch);
    }
};

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED mw_arrow_reader *mw_arrow_reader_new(
    const void *bytes, size_t count, int64_t memory_max, int64_t rows_max, char *reason) {
    std::unique_ptr<mw_arrow_reader> made;
    auto status = guarded([&]() -> arrow::Status {
        made = std::make_unique<mw_arrow_reader>(memory_max);
        auto options = arrow::ipc::IpcReadOptions::Defaults();
        options.use_threads = false;
        options.memory_pool = &made->pool;
        options.max_recursion_depth = 16;
        options.ensure_alignment = arrow::ipc::Alignment::kDataTypeSpecificAlignment;
        auto input = std::make_shared<arrow::io::BufferReader>(view(bytes, static_cast<int64_t>(count)));
        ARROW_ASSIGN_OR_RAISE(auto source, arrow::ipc::RecordBatchStreamReader::Open(input, options));
        auto checked = std::make_shared<CheckedReader>(source, rows_max, &made->pool, &made->failure);
        return arrow::ExportRecordBatchReader(checked, &made->stream);
    });
    return told(status, reason) == 0 ? made.release() : nullptr;
}

EXPORTED void *mw_arrow_reader_stream(mw_arrow_reader *reader) {
    return reader->stream.release ? &reader->stream : nullptr;
}

EXPORTED const char *mw_arrow_reader_failure(mw_arrow_reader *reader) {
    return reader->failure.empty() ? nullptr : reader->failure.c_str();
}

EXPORTED void mw_arrow_reader_free(mw_arrow_reader *reader) { delete reader; }

EXPORTED mw_arrow_writer *mw_arrow_writer_of_schema(void *schema, mw_arrow_sink sink, void *context, char *reason) {
    std::unique_ptr<mw_arrow_writer> made;
    auto status = guarded([&]() -> arrow::Status {
        made = std::make_unique<mw_arrow_writer>(sink, context);
        ARROW_ASSIGN_OR_RAISE(made->schema, arrow::ImportSchema(static_cast<ArrowSchema *>(schema)));
        return made->open();
    });
    return told(status, reason) == 0 ? made.release() : nullptr;
}

EXPORTED mw_arrow_writer *mw_arrow_writer_of_columns(
    const mw_arrow_column *columns, size_t count, mw_arrow_sink sink, void *context, char *reason) {
    std::unique_ptr<mw_arrow_writer> made;
    auto status = guarded([&]() -> arrow::Status {
        made = std::make_unique<mw_arrow_writer>(sink, context);
        arrow::FieldVector fields;
        for (size_t index = 0; index < count; index++) {
            ARROW_ASSIGN_OR_RAISE(auto type, type_of(columns[index]));
            fields.push_back(arrow::field(columns[index].name, type));
        }
        made->schema = arrow::schema(std::move(fields));
        return made->open();
    });
    return told(status, reason) == 0 ? made.release() : nullptr;
}

EXPORTED int mw_arrow_write_array(mw_arrow_writer *writer, void *array, char *reason) {
    return told(
        guarded([&]() -> arrow::Status {
            ARROW_ASSIGN_OR_RAISE(
                auto batch, arrow::ImportRecordBatch(static_cast<ArrowArray *>(array), writer->schema));
            return writer->add(std::move(batch));
        }),
        reason);
}

EXPORTED int mw_arrow_write_columns(
    mw_arrow_writer *writer, const mw_arrow_column *columns, size_t count, int64_t rows, char *reason) {
    return told(
        guarded([&]() -> arrow::Status {
            std::vector<std::shared_ptr<arrow::ArrayData>> data;
            for (size_t index = 0; index < count; index++) {
                if (columns[index].count != rows) return arrow::Status::Invalid("columns of different lengths");
                ARROW_ASSIGN_OR_RAISE(auto column, data_of(columns[index]));
                data.push_back(std::move(column));
            }
            // The memory is the caller's, so nothing of it may wait for more rows.
            return writer->writer->WriteRecordBatch(*arrow::RecordBatch::Make(writer->schema, rows, std::move(data)));
        }),
        reason);
}

EXPORTED int mw_arrow_writer_finish(mw_arrow_writer *writer, char *reason) {
    return told(
        guarded([&]() -> arrow::Status {
            ARROW_RETURN_NOT_OK(writer->flush());
            return writer->writer->Close();
        }),
        reason);
}

EXPORTED void mw_arrow_writer_free(mw_arrow_writer *writer) { delete writer; }
