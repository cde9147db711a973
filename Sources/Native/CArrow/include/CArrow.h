// Arrow IPC streams for Columnar. The work is done by Apache Arrow's own C++ library (libarrow, pinned in scripts/pins),
// through a small library in C that set-up compiles from library/bridge.cpp.
//
// Both are opened by mw_arrow_load, not with the process: a server that never answers in Arrow need not hold them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How long a text of a failure may be, with its end.
#define MW_ARROW_REASON_SIZE 512

// Takes bytes of a stream that is written, in order; anything but 0 ends the writing.
typedef int (*mw_arrow_sink)(void *context, const void *bytes, size_t count);

typedef enum {
    MW_ARROW_BOOLEAN = 0,  // a bit each
    MW_ARROW_INT64 = 1,
    MW_ARROW_FLOAT = 2,
    MW_ARROW_DOUBLE = 3,
    MW_ARROW_TIMESTAMP = 4,  // microseconds since 1970 in UTC, int64_t each
    MW_ARROW_TEXT = 5,       // UTF-8
    MW_ARROW_LIST = 6,
} mw_arrow_kind;

// One column as it lies in the caller's memory; it is not kept.
typedef struct mw_arrow_column {
    const char *name;
    mw_arrow_kind kind;
    int64_t count;
    const void *values;
    const int32_t *offsets;    // texts and lists: one more than there are rows
    const uint8_t *validity;   // a bit per row, lowest first, set where there is a value; NULL where all rows have one
    const struct mw_arrow_column *child;  // the elements of lists
} mw_arrow_column;

typedef struct mw_arrow_reader mw_arrow_reader;
typedef struct mw_arrow_writer mw_arrow_writer;

// Opens the libraries; later calls only look. Safe from every thread.
// NULL, or what is missing, as the loader says it. Until it gave NULL no function below may be called.
const char *mw_arrow_load(void);

// Each function: what it returns, its name, its parameters, their names alone. Those that return int give 0, or another
// number and a text in `reason` (of MW_ARROW_REASON_SIZE bytes).
#define MW_ARROW_FUNCTIONS(X) \
    /* Reads a stream that lies in memory, which must stay until the reader is freed. At most so many bytes are held \
       besides, and at most so many rows read. Every batch is checked whole before it is handed on. */ \
    X(mw_arrow_reader *, mw_arrow_reader_new, \
      (const void *bytes, size_t count, int64_t memory_max, int64_t rows_max, char *reason), \
      (bytes, count, memory_max, rows_max, reason)) \
    /* The batches as a `struct ArrowArrayStream` of Arrow's C interface; NULL once it was taken. */ \
    X(void *, mw_arrow_reader_stream, (mw_arrow_reader *reader), (reader)) \
    /* Why the stream ended early; NULL where it did not. */ \
    X(const char *, mw_arrow_reader_failure, (mw_arrow_reader *reader), (reader)) \
    X(void, mw_arrow_reader_free, (mw_arrow_reader *reader), (reader)) \
    /* Writes a stream; of a `struct ArrowSchema`, which is taken over, or of columns like these. */ \
    X(mw_arrow_writer *, mw_arrow_writer_of_schema, \
      (void *schema, mw_arrow_sink sink, void *context, char *reason), \
      (schema, sink, context, reason)) \
    X(mw_arrow_writer *, mw_arrow_writer_of_columns, \
      (const mw_arrow_column *columns, size_t count, mw_arrow_sink sink, void *context, char *reason), \
      (columns, count, sink, context, reason)) \
    /* Adds rows: a `struct ArrowArray`, which is taken over, or columns. Small ones are gathered to one batch. */ \
    X(int, mw_arrow_write_array, (mw_arrow_writer *writer, void *array, char *reason), (writer, array, reason)) \
    X(int, mw_arrow_write_columns, \
      (mw_arrow_writer *writer, const mw_arrow_column *columns, size_t count, int64_t rows, char *reason), \
      (writer, columns, count, rows, reason)) \
    X(int, mw_arrow_writer_finish, (mw_arrow_writer *writer, char *reason), (writer, reason)) \
    X(void, mw_arrow_writer_free, (mw_arrow_writer *writer), (writer))

#define MW_ARROW_DECLARE(result, name, parameters, arguments) result name parameters;
MW_ARROW_FUNCTIONS(MW_ARROW_DECLARE)
#undef MW_ARROW_DECLARE

#ifdef __cplusplus
}
#endif
