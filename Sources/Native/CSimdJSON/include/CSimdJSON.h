#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// JSON read and written on the hot path, over simdjson. A parser belongs to one thread at a time; everything a view
/// points to lives in the parser until its next parse. After a few requests of a size it allocates nothing more.
typedef struct mw_json_parser mw_json_parser;

/// Bytes of UTF-8, not terminated. Escapes are already undone.
typedef struct {
    const char *text;
    size_t length;
} mw_text;

typedef enum {
    MW_JSON_OK = 0,
    /// Not JSON, or not UTF-8.
    MW_JSON_SYNTAX = 1,
    /// JSON of another shape than the one asked for.
    MW_JSON_SHAPE = 2,
    /// Longer, deeper or with more members than the limits allow.
    MW_JSON_LIMIT = 3,
    MW_JSON_MEMORY = 4,
} mw_json_status;

/// What went wrong: `message` is one sentence without a full stop, `where` a path such as `inputs[1].data[7]`, or empty.
typedef struct {
    mw_json_status status;
    char message[160];
    char where[96];
} mw_json_error;

typedef enum {
    MW_VALUE_NULL = 0,
    MW_VALUE_BOOL = 1,
    MW_VALUE_INT64 = 2,
    /// Only for integers above the largest int64.
    MW_VALUE_UINT64 = 3,
    MW_VALUE_DOUBLE = 4,
    MW_VALUE_TEXT = 5,
    MW_VALUE_OBJECT = 6,
    MW_VALUE_ARRAY = 7,
} mw_value_kind;

/// A scalar, or the mark of an object or array.
typedef struct {
    mw_value_kind kind;
    bool boolean;
    int64_t int64;
    uint64_t uint64;
    double number;
    mw_text text;
} mw_value;

typedef struct {
    mw_text key;
    mw_value value;
} mw_parameter;

typedef struct {
    const mw_parameter *items;
    size_t count;
} mw_parameters;

/// The datatypes of the Open Inference Protocol.
typedef enum {
    MW_BOOL,
    MW_UINT8,
    MW_UINT16,
    MW_UINT32,
    MW_UINT64,
    MW_INT8,
    MW_INT16,
    MW_INT32,
    MW_INT64,
    MW_FP16,
    MW_BF16,
    MW_FP32,
    MW_FP64,
    MW_BYTES,
} mw_datatype;

/// Which of a tensor's pointers holds its elements.
typedef enum {
    /// The tensor has no `data` member; its bytes come another way (`binary_data_size`).
    MW_DATA_ABSENT = 0,
    /// FP16, BF16, FP32, FP64.
    MW_DATA_DOUBLE = 1,
    /// INT8 to INT64, checked against the range of the datatype.
    MW_DATA_INT64 = 2,
    /// UINT8 to UINT64, checked against the range of the datatype.
    MW_DATA_UINT64 = 3,
    /// One byte per element, 0 or 1.
    MW_DATA_BOOL = 4,
    MW_DATA_TEXT = 5,
    /// Bytes behind the JSON, in `raw`.
    MW_DATA_RAW = 6,
} mw_data_kind;

enum { MW_MAX_RANK = 8 };

/// One input of an infer request, flattened row-major whether its `data` was flat or nested.
typedef struct {
    mw_text name;
    mw_text datatype_name;
    mw_datatype datatype;
    int64_t shape[MW_MAX_RANK];
    size_t rank;
    mw_data_kind kind;
    const double *doubles;
    const int64_t *int64s;
    const uint64_t *uint64s;
    const uint8_t *booleans;
    const mw_text *texts;
    /// The elements as the binary tensor data extension lays them out, checked against datatype and shape.
    mw_text raw;
    /// One byte per element, 1 where the JSON had null (NaN, 0, false or "" stands in its place); NULL if none had.
    const uint8_t *nulls;
    /// Elements; the product of `shape` when there is data.
    size_t count;
    size_t null_count;
    mw_parameters parameters;
} mw_tensor;

typedef struct {
    mw_text name;
    mw_parameters parameters;
} mw_output;

/// An Open Inference v2 infer request. Unknown members are skipped; of repeated ones the last counts.
typedef struct {
    bool has_id;
    mw_text id;
    mw_parameters parameters;
    const mw_tensor *inputs;
    size_t input_count;
    const mw_output *outputs;
    size_t output_count;
} mw_infer_view;

/// One value of a document laid out in preorder: its members or elements follow it up to `end`.
typedef struct {
    /// The member's key; empty in an array and for the root.
    mw_text key;
    mw_value value;
    /// Index of the first node after this one and all below it.
    size_t end;
    /// Index of the object or array it lies in; the root is its own parent.
    size_t parent;
} mw_node;

typedef struct {
    const mw_node *nodes;
    size_t count;
} mw_tree_view;

/// - max_bytes: the longest body accepted. - max_depth: how deep objects and arrays may nest (at least 1).
mw_json_parser *mw_json_parser_new(size_t max_bytes, size_t max_depth);
void mw_json_parser_free(mw_json_parser *parser);
/// Bytes held by the parser's buffers.
size_t mw_json_parser_footprint(const mw_json_parser *parser);
/// Gives buffers back if they hold more than `bytes`, so that one huge body does not weigh for ever.
void mw_json_parser_trim(mw_json_parser *parser, size_t bytes);

/// Reads an infer request. `error` may be NULL. JSON null is accepted inside FP data as NaN (an extension: the protocol
/// has no way to send a missing value in JSON) and in the other datatypes is marked in `nulls`.
mw_json_status mw_infer_parse(mw_json_parser *parser, const void *bytes, size_t count, mw_infer_view *view,
                              mw_json_error *error);
/// Gives the inputs of a view that name a `binary_data_size` their bytes out of `tail`, what follows the JSON of the
/// request, and checks that they fill their shapes and leave nothing over. `tail` has to live as long as the view.
mw_json_status mw_infer_attach(mw_json_parser *parser, mw_infer_view *view, const void *tail, size_t count,
                               mw_json_error *error);
/// Reads the bytes of all raw inputs into the parser's own buffers, as if they had come as JSON.
mw_json_status mw_infer_expand(mw_json_parser *parser, mw_infer_view *view, mw_json_error *error);
/// How many bytes the elements of an input take in the layout of the binary tensor data extension.
size_t mw_tensor_size(const mw_tensor *tensor);
/// Writes the elements in that layout; `out` has room for `mw_tensor_size` bytes.
void mw_tensor_write(const mw_tensor *tensor, void *out);
/// Reads any document. The root may be any value.
mw_json_status mw_tree_parse(mw_json_parser *parser, const void *bytes, size_t count, mw_tree_view *view,
                             mw_json_error *error);
/// The index of the member `key` (the last of that name) of the object at `object`, or -1.
int64_t mw_tree_member(const mw_tree_view *view, size_t object, const char *key, size_t length);

enum { MW_NUMBER_CAPACITY = 32 };
/// Writes the shortest text that reads back to the same value (at most MW_NUMBER_CAPACITY bytes); NaN and infinities,
/// which JSON has not, as null. Returns the length.
size_t mw_double_format(char *buffer, double value);
/// The same for single precision: 0.1f is 0.1, not 0.10000000149011612.
size_t mw_float_format(char *buffer, float value);
/// Writes `count` numbers with commas between. `capacity` must be at least count * MW_NUMBER_CAPACITY, else returns 0.
size_t mw_doubles_format(char *buffer, size_t capacity, const double *values, size_t count);
/// The room that writing `count` elements of a datatype may take; `bytes` is how long they are.
size_t mw_elements_capacity(mw_datatype datatype, size_t bytes, size_t count);
/// Writes `count` elements that lie at `data` in the layout of the binary tensor data extension as JSON, with commas
/// between: numbers as the shortest text that reads back to the same value, BYTES as strings. Returns the length; 0 where
/// `capacity` is below `mw_elements_capacity`, or the data ends before its last element.
size_t mw_elements_format(char *buffer, size_t capacity, mw_datatype datatype, const void *data, size_t bytes,
                          size_t count);
/// Writes `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. Returns the length; a
/// `capacity` below 6 * length + 2 is refused by returning 0.
size_t mw_json_escape(char *buffer, size_t capacity, const char *text, size_t length);

#ifdef __cplusplus
}
#endif
