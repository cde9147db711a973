#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The functions of LightGBM 4.7.0's C API that are used here. The wheel ships the library without its header, so they
// are declared by hand; each returns 0, or -1 with the reason in LGBM_GetLastError (which is per thread).
//
// It is opened by mw_lgbm_load, not with the process: a program with models of another kind need not have it.

typedef struct mw_lgbm_dataset *LGBMDataset;
typedef struct mw_lgbm_booster *LGBMBooster;
typedef struct mw_lgbm_fast *LGBMFast;

enum {
    MW_LGBM_FLOAT32 = 0,
    MW_LGBM_FLOAT64 = 1,
    MW_LGBM_PREDICT_NORMAL = 0,
    MW_LGBM_PREDICT_RAW = 1,
    MW_LGBM_PREDICT_CONTRIB = 3,
    MW_LGBM_IMPORTANCE_SPLIT = 0,
    MW_LGBM_IMPORTANCE_GAIN = 1,
};

// Opens the library and finds every function below; later calls only look. Safe from every thread.
// NULL, or what is missing. Until it gave NULL no other function here may be called.
const char *mw_lgbm_load(void);

// Each function: what it returns, its name, its parameters, their names alone.
#define MW_LGBM_FUNCTIONS(X) \
    X(const char *, LGBM_GetLastError, (void), ()) \
    X(int, LGBM_RegisterLogCallback, (void (*callback)(const char *)), (callback)) \
    X(int, LGBM_SetMaxThreads, (int num_threads), (num_threads)) \
    X(int, LGBM_DatasetCreateFromMat, \
      (const void *data, int data_type, int32_t nrow, int32_t ncol, int is_row_major, const char *parameters, \
       const LGBMDataset reference, LGBMDataset *out), \
      (data, data_type, nrow, ncol, is_row_major, parameters, reference, out)) \
    X(int, LGBM_DatasetSetField, \
      (LGBMDataset handle, const char *field_name, const void *field_data, int num_element, int type), \
      (handle, field_name, field_data, num_element, type)) \
    X(int, LGBM_DatasetSetFeatureNames, \
      (LGBMDataset handle, const char **feature_names, int num_feature_names), \
      (handle, feature_names, num_feature_names)) \
    X(int, LGBM_DatasetFree, (LGBMDataset handle), (handle)) \
    X(int, LGBM_BoosterCreate, \
      (const LGBMDataset train_data, const char *parameters, LGBMBooster *out), \
      (train_data, parameters, out)) \
    X(int, LGBM_BoosterLoadModelFromString, \
      (const char *model_str, int *out_num_iterations, LGBMBooster *out), \
      (model_str, out_num_iterations, out)) \
    X(int, LGBM_BoosterFree, (LGBMBooster handle), (handle)) \
    X(int, LGBM_BoosterAddValidData, (LGBMBooster handle, const LGBMDataset valid_data), (handle, valid_data)) \
    X(int, LGBM_BoosterUpdateOneIter, (LGBMBooster handle, int *is_finished), (handle, is_finished)) \
    X(int, LGBM_BoosterGetEvalCounts, (LGBMBooster handle, int *out_len), (handle, out_len)) \
    X(int, LGBM_BoosterGetEvalNames, \
      (LGBMBooster handle, const int len, int *out_len, const size_t buffer_len, size_t *out_buffer_len, \
       char **out_strs), \
      (handle, len, out_len, buffer_len, out_buffer_len, out_strs)) \
    X(int, LGBM_BoosterGetEval, \
      (LGBMBooster handle, int data_idx, int *out_len, double *out_results), \
      (handle, data_idx, out_len, out_results)) \
    X(int, LGBM_BoosterGetCurrentIteration, (LGBMBooster handle, int *out_iteration), (handle, out_iteration)) \
    X(int, LGBM_BoosterGetNumClasses, (LGBMBooster handle, int *out_len), (handle, out_len)) \
    X(int, LGBM_BoosterGetNumFeature, (LGBMBooster handle, int *out_len), (handle, out_len)) \
    X(int, LGBM_BoosterSaveModelToString, \
      (LGBMBooster handle, int start_iteration, int num_iteration, int feature_importance_type, int64_t buffer_len, \
       int64_t *out_len, char *out_str), \
      (handle, start_iteration, num_iteration, feature_importance_type, buffer_len, out_len, out_str)) \
    X(int, LGBM_BoosterFeatureImportance, \
      (LGBMBooster handle, int num_iteration, int importance_type, double *out_results), \
      (handle, num_iteration, importance_type, out_results)) \
    X(int, LGBM_BoosterCalcNumPredict, \
      (LGBMBooster handle, int num_row, int predict_type, int start_iteration, int num_iteration, int64_t *out_len), \
      (handle, num_row, predict_type, start_iteration, num_iteration, out_len)) \
    X(int, LGBM_BoosterPredictForMat, \
      (LGBMBooster handle, const void *data, int data_type, int32_t nrow, int32_t ncol, int is_row_major, \
       int predict_type, int start_iteration, int num_iteration, const char *parameter, int64_t *out_len, \
       double *out_result), \
      (handle, data, data_type, nrow, ncol, is_row_major, predict_type, start_iteration, num_iteration, parameter, \
       out_len, out_result)) \
    X(int, LGBM_BoosterPredictForMatSingleRowFastInit, \
      (LGBMBooster handle, const int predict_type, const int start_iteration, const int num_iteration, \
       const int data_type, const int32_t ncol, const char *parameter, LGBMFast *out_fast), \
      (handle, predict_type, start_iteration, num_iteration, data_type, ncol, parameter, out_fast)) \
    X(int, LGBM_BoosterPredictForMatSingleRowFast, \
      (LGBMFast fast, const void *data, int64_t *out_len, double *out_result), \
      (fast, data, out_len, out_result)) \
    X(int, LGBM_FastConfigFree, (LGBMFast fast), (fast))

#define MW_LGBM_DECLARE(result, name, parameters, arguments) result name parameters;
MW_LGBM_FUNCTIONS(MW_LGBM_DECLARE)
#undef MW_LGBM_DECLARE

/// From here on what LightGBM logs on this thread is kept (the last 8 KiB) instead of printed to standard output.
/// LightGBM keeps its callback per thread, so every thread that calls it has to ask for this.
void mw_lgbm_capture_log(void);
/// Copies what was captured on this thread since the last take, at most `capacity` bytes, and forgets it.
size_t mw_lgbm_take_log(char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif
