// The part of DuckDB's C API that Columnar calls. The library is pinned to v1.5.6, which Columnar checks at run time.
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

// Opening
const char *duckdb_library_version(void);
duckdb_state duckdb_create_config(duckdb_config *out_config);
duckdb_state duckdb_set_config(duckdb_config config, const char *name, const char *option);
void duckdb_destroy_config(duckdb_config *config);
duckdb_state duckdb_open_ext(const char *path, duckdb_database *out_database, duckdb_config config, char **out_error);
void duckdb_close(duckdb_database *database);
duckdb_state duckdb_connect(duckdb_database database, duckdb_connection *out_connection);
void duckdb_disconnect(duckdb_connection *connection);
void duckdb_interrupt(duckdb_connection connection);
void duckdb_free(void *pointer);

// Statements
duckdb_state duckdb_query(duckdb_connection connection, const char *query, duckdb_result *out_or_null);
idx_t duckdb_extract_statements(duckdb_connection connection, const char *query, duckdb_extracted_statements *out);
const char *duckdb_extract_statements_error(duckdb_extracted_statements extracted);
void duckdb_destroy_extracted(duckdb_extracted_statements *extracted);
duckdb_state duckdb_prepare_extracted_statement(duckdb_connection connection, duckdb_extracted_statements extracted,
                                                idx_t index, duckdb_prepared_statement *out);
const char *duckdb_prepare_error(duckdb_prepared_statement prepared);
idx_t duckdb_nparams(duckdb_prepared_statement prepared);
void duckdb_destroy_prepare(duckdb_prepared_statement *prepared);
duckdb_state duckdb_bind_null(duckdb_prepared_statement prepared, idx_t index);
duckdb_state duckdb_bind_boolean(duckdb_prepared_statement prepared, idx_t index, bool value);
duckdb_state duckdb_bind_int64(duckdb_prepared_statement prepared, idx_t index, int64_t value);
duckdb_state duckdb_bind_double(duckdb_prepared_statement prepared, idx_t index, double value);
duckdb_state duckdb_bind_varchar_length(duckdb_prepared_statement prepared, idx_t index, const char *value,
                                        idx_t length);
duckdb_state duckdb_bind_timestamp(duckdb_prepared_statement prepared, idx_t index, duckdb_timestamp value);
duckdb_state duckdb_pending_prepared(duckdb_prepared_statement prepared, duckdb_pending_result *out);
duckdb_state duckdb_pending_prepared_streaming(duckdb_prepared_statement prepared, duckdb_pending_result *out);
const char *duckdb_pending_error(duckdb_pending_result pending);
duckdb_state duckdb_execute_pending(duckdb_pending_result pending, duckdb_result *out);
void duckdb_destroy_pending(duckdb_pending_result *pending);

// Results
const char *duckdb_result_error(duckdb_result *result);
void duckdb_destroy_result(duckdb_result *result);
idx_t duckdb_column_count(duckdb_result *result);
const char *duckdb_column_name(duckdb_result *result, idx_t column);
duckdb_logical_type duckdb_column_logical_type(duckdb_result *result, idx_t column);
idx_t duckdb_rows_changed(duckdb_result *result);
duckdb_data_chunk duckdb_fetch_chunk(duckdb_result result);

// Types
duckdb_logical_type duckdb_create_logical_type(int type);
int duckdb_get_type_id(duckdb_logical_type type);
void duckdb_destroy_logical_type(duckdb_logical_type *type);
uint8_t duckdb_decimal_scale(duckdb_logical_type type);
int duckdb_decimal_internal_type(duckdb_logical_type type);
int duckdb_enum_internal_type(duckdb_logical_type type);
uint32_t duckdb_enum_dictionary_size(duckdb_logical_type type);
char *duckdb_enum_dictionary_value(duckdb_logical_type type, idx_t index);

// Chunks and vectors
idx_t duckdb_vector_size(void);
duckdb_data_chunk duckdb_create_data_chunk(duckdb_logical_type *types, idx_t column_count);
void duckdb_destroy_data_chunk(duckdb_data_chunk *chunk);
void duckdb_data_chunk_reset(duckdb_data_chunk chunk);
duckdb_vector duckdb_data_chunk_get_vector(duckdb_data_chunk chunk, idx_t column);
idx_t duckdb_data_chunk_get_size(duckdb_data_chunk chunk);
void duckdb_data_chunk_set_size(duckdb_data_chunk chunk, idx_t size);
void *duckdb_vector_get_data(duckdb_vector vector);
uint64_t *duckdb_vector_get_validity(duckdb_vector vector);
void duckdb_vector_ensure_validity_writable(duckdb_vector vector);
void duckdb_vector_assign_string_element_len(duckdb_vector vector, idx_t index, const char *text, idx_t length);

// Appending
duckdb_state duckdb_appender_create(duckdb_connection connection, const char *schema, const char *table,
                                    duckdb_appender *out);
idx_t duckdb_appender_column_count(duckdb_appender appender);
duckdb_logical_type duckdb_appender_column_type(duckdb_appender appender, idx_t column);
duckdb_state duckdb_appender_add_column(duckdb_appender appender, const char *name);
const char *duckdb_appender_error(duckdb_appender appender);
duckdb_state duckdb_append_data_chunk(duckdb_appender appender, duckdb_data_chunk chunk);
duckdb_state duckdb_appender_close(duckdb_appender appender);
duckdb_state duckdb_appender_destroy(duckdb_appender *appender);

#ifdef __cplusplus
}
#endif
