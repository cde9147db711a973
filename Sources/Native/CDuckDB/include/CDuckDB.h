// The part of DuckDB's C API that Columnar calls. The library is pinned to v1.5.6, which Columnar checks at run time.
//
// It is opened by mw_duckdb_load, not with the process: its relocation alone touches 28 MB, which a server that computes
// no columns need not hold.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t idx_t;
typedef enum { DuckDBSuccess = 0, DuckDBError = 1 } duckdb_state;

// Every handle is a pointer to something only the library knows.
typedef struct mw_duckdb_database *duckdb_database;
typedef struct mw_duckdb_connection *duckdb_connection;
typedef struct mw_duckdb_config *duckdb_config;
typedef struct mw_duckdb_prepared *duckdb_prepared_statement;
typedef struct mw_duckdb_extracted *duckdb_extracted_statements;
typedef struct mw_duckdb_pending *duckdb_pending_result;
typedef struct mw_duckdb_appender *duckdb_appender;
typedef struct mw_duckdb_logical_type *duckdb_logical_type;
typedef struct mw_duckdb_data_chunk *duckdb_data_chunk;
typedef struct mw_duckdb_vector *duckdb_vector;
typedef struct mw_duckdb_arrow_options *duckdb_arrow_options;
// NULL where nothing went wrong.
typedef struct mw_duckdb_error_data *duckdb_error_data;

// Laid out by the library: five fields kept for old callers, then its own pointer.
typedef struct {
    idx_t deprecated_column_count;
    idx_t deprecated_row_count;
    idx_t deprecated_rows_changed;
    void *deprecated_columns;
    char *deprecated_error_message;
    void *internal_data;
} duckdb_result;

typedef struct {
    int64_t micros;
} duckdb_timestamp;

// Opens the library and finds every function below; later calls only look. Safe from every thread.
// NULL, or what is missing, as the loader says it. Until it gave NULL no other function here may be called.
const char *mw_duckdb_load(void);

// Each function: what it returns, its name, its parameters, their names alone.
#define MW_DUCKDB_FUNCTIONS(X) \
    /* Opening */ \
    X(const char *, duckdb_library_version, (void), ()) \
    X(duckdb_state, duckdb_create_config, (duckdb_config *out_config), (out_config)) \
    X(duckdb_state, duckdb_set_config, \
      (duckdb_config config, const char *name, const char *option), \
      (config, name, option)) \
    X(void, duckdb_destroy_config, (duckdb_config *config), (config)) \
    X(duckdb_state, duckdb_open_ext, \
      (const char *path, duckdb_database *out_database, duckdb_config config, char **out_error), \
      (path, out_database, config, out_error)) \
    X(void, duckdb_close, (duckdb_database *database), (database)) \
    X(duckdb_state, duckdb_connect, \
      (duckdb_database database, duckdb_connection *out_connection), \
      (database, out_connection)) \
    X(void, duckdb_disconnect, (duckdb_connection *connection), (connection)) \
    X(void, duckdb_interrupt, (duckdb_connection connection), (connection)) \
    X(void, duckdb_free, (void *pointer), (pointer)) \
    /* Statements */ \
    X(duckdb_state, duckdb_query, \
      (duckdb_connection connection, const char *query, duckdb_result *out_or_null), \
      (connection, query, out_or_null)) \
    X(idx_t, duckdb_extract_statements, \
      (duckdb_connection connection, const char *query, duckdb_extracted_statements *out), \
      (connection, query, out)) \
    X(const char *, duckdb_extract_statements_error, (duckdb_extracted_statements extracted), (extracted)) \
    X(void, duckdb_destroy_extracted, (duckdb_extracted_statements *extracted), (extracted)) \
    X(duckdb_state, duckdb_prepare_extracted_statement, \
      (duckdb_connection connection, duckdb_extracted_statements extracted, idx_t index, duckdb_prepared_statement *out), \
      (connection, extracted, index, out)) \
    X(const char *, duckdb_prepare_error, (duckdb_prepared_statement prepared), (prepared)) \
    X(idx_t, duckdb_nparams, (duckdb_prepared_statement prepared), (prepared)) \
    X(void, duckdb_destroy_prepare, (duckdb_prepared_statement *prepared), (prepared)) \
    X(duckdb_state, duckdb_bind_null, (duckdb_prepared_statement prepared, idx_t index), (prepared, index)) \
    X(duckdb_state, duckdb_bind_boolean, \
      (duckdb_prepared_statement prepared, idx_t index, bool value), \
      (prepared, index, value)) \
    X(duckdb_state, duckdb_bind_int64, \
      (duckdb_prepared_statement prepared, idx_t index, int64_t value), \
      (prepared, index, value)) \
    X(duckdb_state, duckdb_bind_double, \
      (duckdb_prepared_statement prepared, idx_t index, double value), \
      (prepared, index, value)) \
    X(duckdb_state, duckdb_bind_varchar_length, \
      (duckdb_prepared_statement prepared, idx_t index, const char *value, idx_t length), \
      (prepared, index, value, length)) \
    X(duckdb_state, duckdb_bind_timestamp, \
      (duckdb_prepared_statement prepared, idx_t index, duckdb_timestamp value), \
      (prepared, index, value)) \
    X(duckdb_state, duckdb_pending_prepared, \
      (duckdb_prepared_statement prepared, duckdb_pending_result *out), \
      (prepared, out)) \
    X(duckdb_state, duckdb_pending_prepared_streaming, \
      (duckdb_prepared_statement prepared, duckdb_pending_result *out), \
      (prepared, out)) \
    X(const char *, duckdb_pending_error, (duckdb_pending_result pending), (pending)) \
    X(duckdb_state, duckdb_execute_pending, (duckdb_pending_result pending, duckdb_result *out), (pending, out)) \
    X(void, duckdb_destroy_pending, (duckdb_pending_result *pending), (pending)) \
    /* Results */ \
    X(const char *, duckdb_result_error, (duckdb_result *result), (result)) \
    X(void, duckdb_destroy_result, (duckdb_result *result), (result)) \
    X(idx_t, duckdb_column_count, (duckdb_result *result), (result)) \
    X(const char *, duckdb_column_name, (duckdb_result *result, idx_t column), (result, column)) \
    X(duckdb_logical_type, duckdb_column_logical_type, (duckdb_result *result, idx_t column), (result, column)) \
    X(idx_t, duckdb_rows_changed, (duckdb_result *result), (result)) \
    X(duckdb_data_chunk, duckdb_fetch_chunk, (duckdb_result result), (result)) \
    /* Types */ \
    X(duckdb_logical_type, duckdb_create_logical_type, (int type), (type)) \
    X(int, duckdb_get_type_id, (duckdb_logical_type type), (type)) \
    X(void, duckdb_destroy_logical_type, (duckdb_logical_type *type), (type)) \
    X(uint8_t, duckdb_decimal_scale, (duckdb_logical_type type), (type)) \
    X(int, duckdb_decimal_internal_type, (duckdb_logical_type type), (type)) \
    X(int, duckdb_enum_internal_type, (duckdb_logical_type type), (type)) \
    X(uint32_t, duckdb_enum_dictionary_size, (duckdb_logical_type type), (type)) \
    X(char *, duckdb_enum_dictionary_value, (duckdb_logical_type type, idx_t index), (type, index)) \
    /* Chunks and vectors */ \
    X(idx_t, duckdb_vector_size, (void), ()) \
    X(duckdb_data_chunk, duckdb_create_data_chunk, \
      (duckdb_logical_type *types, idx_t column_count), \
      (types, column_count)) \
    X(void, duckdb_destroy_data_chunk, (duckdb_data_chunk *chunk), (chunk)) \
    X(void, duckdb_data_chunk_reset, (duckdb_data_chunk chunk), (chunk)) \
    X(duckdb_vector, duckdb_data_chunk_get_vector, (duckdb_data_chunk chunk, idx_t column), (chunk, column)) \
    X(idx_t, duckdb_data_chunk_get_size, (duckdb_data_chunk chunk), (chunk)) \
    X(void, duckdb_data_chunk_set_size, (duckdb_data_chunk chunk, idx_t size), (chunk, size)) \
    X(void *, duckdb_vector_get_data, (duckdb_vector vector), (vector)) \
    X(uint64_t *, duckdb_vector_get_validity, (duckdb_vector vector), (vector)) \
    X(void, duckdb_vector_ensure_validity_writable, (duckdb_vector vector), (vector)) \
    X(duckdb_vector, duckdb_list_vector_get_child, (duckdb_vector vector), (vector)) \
    X(idx_t, duckdb_list_vector_get_size, (duckdb_vector vector), (vector)) \
    X(duckdb_logical_type, duckdb_list_type_child_type, (duckdb_logical_type type), (type)) \
    X(void, duckdb_vector_assign_string_element_len, \
      (duckdb_vector vector, idx_t index, const char *text, idx_t length), \
      (vector, index, text, length)) \
    /* Appending */ \
    X(duckdb_state, duckdb_appender_create, \
      (duckdb_connection connection, const char *schema, const char *table, duckdb_appender *out), \
      (connection, schema, table, out)) \
    X(idx_t, duckdb_appender_column_count, (duckdb_appender appender), (appender)) \
    X(duckdb_logical_type, duckdb_appender_column_type, (duckdb_appender appender, idx_t column), (appender, column)) \
    X(duckdb_state, duckdb_appender_add_column, (duckdb_appender appender, const char *name), (appender, name)) \
    X(const char *, duckdb_appender_error, (duckdb_appender appender), (appender)) \
    X(duckdb_state, duckdb_append_data_chunk, (duckdb_appender appender, duckdb_data_chunk chunk), (appender, chunk)) \
    X(duckdb_state, duckdb_appender_close, (duckdb_appender appender), (appender)) \
    X(duckdb_state, duckdb_appender_destroy, (duckdb_appender *appender), (appender)) \
    /* Arrow's C interface: `stream` is a `struct ArrowArrayStream *`, `schema` an ArrowSchema's, `array` an ArrowArray's */ \
    X(duckdb_state, duckdb_arrow_scan, \
      (duckdb_connection connection, const char *view, void *stream), \
      (connection, view, stream)) \
    X(duckdb_arrow_options, duckdb_result_get_arrow_options, (duckdb_result *result), (result)) \
    X(void, duckdb_destroy_arrow_options, (duckdb_arrow_options *options), (options)) \
    X(duckdb_error_data, duckdb_to_arrow_schema, \
      (duckdb_arrow_options options, duckdb_logical_type *types, const char **names, idx_t count, void *schema), \
      (options, types, names, count, schema)) \
    X(duckdb_error_data, duckdb_data_chunk_to_arrow, \
      (duckdb_arrow_options options, duckdb_data_chunk chunk, void *array), \
      (options, chunk, array)) \
    X(bool, duckdb_error_data_has_error, (duckdb_error_data error), (error)) \
    X(const char *, duckdb_error_data_message, (duckdb_error_data error), (error)) \
    X(void, duckdb_destroy_error_data, (duckdb_error_data *error), (error))

#define MW_DUCKDB_DECLARE(result, name, parameters, arguments) result name parameters;
MW_DUCKDB_FUNCTIONS(MW_DUCKDB_DECLARE)
#undef MW_DUCKDB_DECLARE

#ifdef __cplusplus
}
#endif
