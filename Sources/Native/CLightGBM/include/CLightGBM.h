#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The functions of LightGBM 4.7.0's C API that are used here. The wheel ships the library without its header, so they
// are declared by hand; each returns 0, or -1 with the reason in LGBM_GetLastError (which is per thread).

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

const char *LGBM_GetLastError(void);
int LGBM_RegisterLogCallback(void (*callback)(const char *));
int LGBM_SetMaxThreads(int num_threads);

int LGBM_DatasetCreateFromMat(const void *data, int data_type, int32_t nrow, int32_t ncol, int is_row_major,
                              const char *parameters, const LGBMDataset reference, LGBMDataset *out);
int LGBM_DatasetSetField(LGBMDataset handle, const char *field_name, const void *field_data, int num_element, int type);
int LGBM_DatasetSetFeatureNames(LGBMDataset handle, const char **feature_names, int num_feature_names);
int LGBM_DatasetFree(LGBMDataset handle);

int LGBM_BoosterCreate(const LGBMDataset train_data, const char *parameters, LGBMBooster *out);
int LGBM_BoosterLoadModelFromString(const char *model_str, int *out_num_iterations, LGBMBooster *out);
int LGBM_BoosterFree(LGBMBooster handle);
int LGBM_BoosterAddValidData(LGBMBooster handle, const LGBMDataset valid_data);
int LGBM_BoosterUpdateOneIter(LGBMBooster handle, int *is_finished);
int LGBM_BoosterGetEvalCounts(LGBMBooster handle, int *out_len);
int LGBM_BoosterGetEvalNames(LGBMBooster handle, const int len, int *out_len, const size_t buffer_len,
                             size_t *out_buffer_len, char **out_strs);
int LGBM_BoosterGetEval(LGBMBooster handle, int data_idx, int *out_len, double *out_results);
int LGBM_BoosterGetCurrentIteration(LGBMBooster handle, int *out_iteration);
int LGBM_BoosterGetNumClasses(LGBMBooster handle, int *out_len);
int LGBM_BoosterGetNumFeature(LGBMBooster handle, int *out_len);
int LGBM_BoosterSaveModelToString(LGBMBooster handle, int start_iteration, int num_iteration,
                                  int feature_importance_type, int64_t buffer_len, int64_t *out_len, char *out_str);
int LGBM_BoosterFeatureImportance(LGBMBooster handle, int num_iteration, int importance_type, double *out_results);
int LGBM_BoosterCalcNumPredict(LGBMBooster handle, int num_row, int predict_type, int start_iteration,
                               int num_iteration, int64_t *out_len);
int LGBM_BoosterPredictForMat(LGBMBooster handle, const void *data, int data_type, int32_t nrow, int32_t ncol,
                              int is_row_major, int predict_type, int start_iteration, int num_iteration,
                              const char *parameter, int64_t *out_len, double *out_result);
int LGBM_BoosterPredictForMatSingleRowFastInit(LGBMBooster handle, const int predict_type, const int start_iteration,
                                               const int num_iteration, const int data_type, const int32_t ncol,
                                               const char *parameter, LGBMFast *out_fast);
int LGBM_BoosterPredictForMatSingleRowFast(LGBMFast fast, const void *data, int64_t *out_len, double *out_result);
int LGBM_FastConfigFree(LGBMFast fast);

/// From here on what LightGBM logs on this thread is kept (the last 8 KiB) instead of printed to standard output.
/// LightGBM keeps its callback per thread, so every thread that calls it has to ask for this.
void mw_lgbm_capture_log(void);
/// Copies what was captured on this thread since the last take, at most `capacity` bytes, and forgets it.
size_t mw_lgbm_take_log(char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif
