// The part of ONNX Runtime's C API that Inference calls. The library is pinned to 1.31.1; its wheel ships no header.
//
// The library exports one function, which gives a table of function pointers. A slot of the table never changes its place
// or its type from release to release, so the slots used here are named by their numbers.
//
// It is opened by mw_ort_load, not with the process: 29 MB of code that a server without such a model need not hold.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Every handle is a pointer to something only the library knows.
typedef struct mw_ort_status *OrtStatus;
typedef struct mw_ort_env *OrtEnv;
typedef struct mw_ort_session_options *OrtSessionOptions;
typedef struct mw_ort_session *OrtSession;
typedef struct mw_ort_run_options *OrtRunOptions;
typedef struct mw_ort_value *OrtValue;
typedef struct mw_ort_allocator *OrtAllocator;
typedef struct mw_ort_memory_info *OrtMemoryInfo;
typedef struct mw_ort_type_info *OrtTypeInfo;
typedef struct mw_ort_tensor_info *OrtTensorInfo;
typedef struct mw_ort_sequence_info *OrtSequenceInfo;
typedef struct mw_ort_map_info *OrtMapInfo;

// What a status of 0 or another code stands for.
enum {
    MW_ORT_FAIL = 1,
    MW_ORT_INVALID_ARGUMENT = 2,
};

// What a value is made of.
enum {
    MW_ORT_TYPE_TENSOR = 1,
    MW_ORT_TYPE_SEQUENCE = 2,
    MW_ORT_TYPE_MAP = 3,
};

// Elements of tensors.
enum {
    MW_ORT_FLOAT = 1,
    MW_ORT_UINT8 = 2,
    MW_ORT_INT8 = 3,
    MW_ORT_UINT16 = 4,
    MW_ORT_INT16 = 5,
    MW_ORT_INT32 = 6,
    MW_ORT_INT64 = 7,
    MW_ORT_STRING = 8,
    MW_ORT_BOOL = 9,
    MW_ORT_FLOAT16 = 10,
    MW_ORT_DOUBLE = 11,
    MW_ORT_UINT32 = 12,
    MW_ORT_UINT64 = 13,
    MW_ORT_BFLOAT16 = 16,
};

enum {
    MW_ORT_SEQUENTIAL = 0,
    MW_ORT_ALLOCATOR_DEVICE = 0,
    MW_ORT_MEMORY_DEFAULT = 0,
    MW_ORT_LOG_FATAL = 4,
};

// Opens the library, checks that it is the pinned release, and makes the environment that all sessions share; later calls
// only look. Safe from every thread. NULL, or why it can not be used. Until it gave NULL no other function here may be
// called.
const char *mw_ort_load(void);
/// The release that mw_ort_load asks for.
const char *mw_ort_release(void);

// The environment of the process.
OrtEnv mw_ort_env(void);

// Each slot of the table: its number, what it returns, its name here, its parameters, their names alone.
#define MW_ORT_FUNCTIONS(X) \
    X(1, int, OrtGetErrorCode, (OrtStatus status), (status)) \
    X(2, const char *, OrtGetErrorMessage, (OrtStatus status), (status)) \
    X(93, void, OrtReleaseStatus, (OrtStatus status), (status)) \
    X(3, OrtStatus, OrtCreateEnv, (int severity, const char *name, OrtEnv *out), (severity, name, out)) \
    /* Sessions */ \
    X(10, OrtStatus, OrtCreateSessionOptions, (OrtSessionOptions *out), (out)) \
    X(13, OrtStatus, OrtSetSessionExecutionMode, (OrtSessionOptions options, int mode), (options, mode)) \
    X(17, OrtStatus, OrtDisableMemPattern, (OrtSessionOptions options), (options)) \
    X(19, OrtStatus, OrtDisableCpuMemArena, (OrtSessionOptions options), (options)) \
    X(22, OrtStatus, OrtSetSessionLogSeverityLevel, (OrtSessionOptions options, int level), (options, level)) \
    X(23, OrtStatus, OrtSetSessionGraphOptimizationLevel, (OrtSessionOptions options, int level), (options, level)) \
    X(24, OrtStatus, OrtSetIntraOpNumThreads, (OrtSessionOptions options, int count), (options, count)) \
    X(130, OrtStatus, OrtAddSessionConfigEntry, \
      (OrtSessionOptions options, const char *key, const char *value), \
      (options, key, value)) \
    X(279, OrtStatus, OrtAddExternalInitializersFromFilesInMemory, \
      (OrtSessionOptions options, const char *const *names, const char *const *contents, const size_t *lengths, \
       size_t count), \
      (options, names, contents, lengths, count)) \
    X(100, void, OrtReleaseSessionOptions, (OrtSessionOptions options), (options)) \
    X(8, OrtStatus, OrtCreateSessionFromArray, \
      (OrtEnv env, const void *bytes, size_t count, OrtSessionOptions options, OrtSession *out), \
      (env, bytes, count, options, out)) \
    X(95, void, OrtReleaseSession, (OrtSession session), (session)) \
    X(30, OrtStatus, OrtSessionGetInputCount, (OrtSession session, size_t *out), (session, out)) \
    X(31, OrtStatus, OrtSessionGetOutputCount, (OrtSession session, size_t *out), (session, out)) \
    X(33, OrtStatus, OrtSessionGetInputTypeInfo, \
      (OrtSession session, size_t index, OrtTypeInfo *out), \
      (session, index, out)) \
    X(34, OrtStatus, OrtSessionGetOutputTypeInfo, \
      (OrtSession session, size_t index, OrtTypeInfo *out), \
      (session, index, out)) \
    X(36, OrtStatus, OrtSessionGetInputName, \
      (OrtSession session, size_t index, OrtAllocator allocator, char **out), \
      (session, index, allocator, out)) \
    X(37, OrtStatus, OrtSessionGetOutputName, \
      (OrtSession session, size_t index, OrtAllocator allocator, char **out), \
      (session, index, allocator, out)) \
    X(9, OrtStatus, OrtRun, \
      (OrtSession session, OrtRunOptions options, const char *const *input_names, const OrtValue *inputs, \
       size_t input_count, const char *const *output_names, size_t output_count, OrtValue *outputs), \
      (session, options, input_names, inputs, input_count, output_names, output_count, outputs)) \
    /* Types */ \
    X(98, void, OrtReleaseTypeInfo, (OrtTypeInfo info), (info)) \
    X(56, OrtStatus, OrtGetOnnxTypeFromTypeInfo, (OrtTypeInfo info, int *out), (info, out)) \
    X(55, OrtStatus, OrtCastTypeInfoToTensorInfo, (OrtTypeInfo info, OrtTensorInfo *out), (info, out)) \
    X(104, OrtStatus, OrtCastTypeInfoToSequenceTypeInfo, (OrtTypeInfo info, OrtSequenceInfo *out), (info, out)) \
    X(107, OrtStatus, OrtGetSequenceElementType, (OrtSequenceInfo info, OrtTypeInfo *out), (info, out)) \
    X(103, OrtStatus, OrtCastTypeInfoToMapTypeInfo, (OrtTypeInfo info, OrtMapInfo *out), (info, out)) \
    X(105, OrtStatus, OrtGetMapKeyType, (OrtMapInfo info, int *out), (info, out)) \
    X(106, OrtStatus, OrtGetMapValueType, (OrtMapInfo info, OrtTypeInfo *out), (info, out)) \
    X(60, OrtStatus, OrtGetTensorElementType, (OrtTensorInfo info, int *out), (info, out)) \
    X(61, OrtStatus, OrtGetDimensionsCount, (OrtTensorInfo info, size_t *out), (info, out)) \
    X(62, OrtStatus, OrtGetDimensions, (OrtTensorInfo info, int64_t *out, size_t count), (info, out, count)) \
    X(99, void, OrtReleaseTensorTypeAndShapeInfo, (OrtTensorInfo info), (info)) \
    /* Values */ \
    X(48, OrtStatus, OrtCreateTensorAsOrtValue, \
      (OrtAllocator allocator, const int64_t *shape, size_t rank, int type, OrtValue *out), \
      (allocator, shape, rank, type, out)) \
    X(49, OrtStatus, OrtCreateTensorWithDataAsOrtValue, \
      (OrtMemoryInfo memory, const void *bytes, size_t count, const int64_t *shape, size_t rank, int type, \
       OrtValue *out), \
      (memory, bytes, count, shape, rank, type, out)) \
    X(51, OrtStatus, OrtGetTensorMutableData, (OrtValue value, void **out), (value, out)) \
    X(53, OrtStatus, OrtGetStringTensorDataLength, (OrtValue value, size_t *out), (value, out)) \
    X(54, OrtStatus, OrtGetStringTensorContent, \
      (OrtValue value, void *text, size_t length, size_t *offsets, size_t count), \
      (value, text, length, offsets, count)) \
    X(252, OrtStatus, OrtGetResizedStringTensorElementBuffer, \
      (OrtValue value, size_t index, size_t length, char **out), \
      (value, index, length, out)) \
    X(65, OrtStatus, OrtGetTensorTypeAndShape, (OrtValue value, OrtTensorInfo *out), (value, out)) \
    X(67, OrtStatus, OrtGetValueType, (OrtValue value, int *out), (value, out)) \
    X(80, OrtStatus, OrtGetValue, \
      (OrtValue value, int index, OrtAllocator allocator, OrtValue *out), \
      (value, index, allocator, out)) \
    X(81, OrtStatus, OrtGetValueCount, (OrtValue value, size_t *out), (value, out)) \
    X(96, void, OrtReleaseValue, (OrtValue value), (value)) \
    /* Memory */ \
    X(69, OrtStatus, OrtCreateCpuMemoryInfo, (int allocator, int memory, OrtMemoryInfo *out), (allocator, memory, out)) \
    X(94, void, OrtReleaseMemoryInfo, (OrtMemoryInfo info), (info)) \
    X(76, OrtStatus, OrtAllocatorFree, (OrtAllocator allocator, void *memory), (allocator, memory)) \
    X(78, OrtStatus, OrtGetAllocatorWithDefaultOptions, (OrtAllocator *out), (out))

#define MW_ORT_DECLARE(slot, result, name, parameters, arguments) result name parameters;
MW_ORT_FUNCTIONS(MW_ORT_DECLARE)
#undef MW_ORT_DECLARE

#ifdef __cplusplus
}
#endif
