// The part of XGBoost's C API that Inference calls. The library is pinned to 3.2.0; its wheel ships no header.
//
// It is opened by mw_xgb_load, not with the process: 17 MB that a server without such a model need not hold.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t bst_ulong;
// Every handle is a pointer to something only the library knows.
typedef struct mw_xgb_booster *XGBooster;
typedef struct mw_xgb_matrix *XGMatrix;

// Opens the library and finds every function below; later calls only look. Safe from every thread.
// NULL, or what is missing. Until it gave NULL no other function here may be called.
const char *mw_xgb_load(void);

// Each function: what it returns, its name, its parameters, their names alone. Those that return int give 0, or -1 with the
// reason in XGBGetLastError, which is per thread as are the results that they own.
#define MW_XGB_FUNCTIONS(X) \
    X(void, XGBoostVersion, (int *major, int *minor, int *patch), (major, minor, patch)) \
    X(const char *, XGBGetLastError, (void), ()) \
    X(int, XGBSetGlobalConfig, (const char *config), (config)) \
    X(int, XGBoosterCreate, (const XGMatrix *matrices, bst_ulong count, XGBooster *out), (matrices, count, out)) \
    X(int, XGBoosterFree, (XGBooster booster), (booster)) \
    X(int, XGBoosterLoadModelFromBuffer, \
      (XGBooster booster, const void *bytes, bst_ulong count), \
      (booster, bytes, count)) \
    X(int, XGBoosterSetParam, (XGBooster booster, const char *name, const char *value), (booster, name, value)) \
    X(int, XGBoosterGetNumFeature, (XGBooster booster, bst_ulong *out), (booster, out)) \
    X(int, XGBoosterBoostedRounds, (XGBooster booster, int *out), (booster, out)) \
    X(int, XGBoosterGetStrFeatureInfo, \
      (XGBooster booster, const char *field, bst_ulong *count, const char ***out), \
      (booster, field, count, out)) \
    X(int, XGBoosterSaveJsonConfig, (XGBooster booster, bst_ulong *count, const char **out), (booster, count, out)) \
    X(int, XGBoosterPredictFromDense, \
      (XGBooster booster, const char *array, const char *config, XGMatrix meta, const bst_ulong **shape, \
       bst_ulong *rank, const float **out), \
      (booster, array, config, meta, shape, rank, out)) \
    X(int, XGBoosterPredictFromDMatrix, \
      (XGBooster booster, XGMatrix matrix, const char *config, const bst_ulong **shape, bst_ulong *rank, \
       const float **out), \
      (booster, matrix, config, shape, rank, out)) \
    X(int, XGDMatrixCreateFromDense, (const char *array, const char *config, XGMatrix *out), (array, config, out)) \
    X(int, XGDMatrixFree, (XGMatrix matrix), (matrix))

#define MW_XGB_DECLARE(result, name, parameters, arguments) result name parameters;
MW_XGB_FUNCTIONS(MW_XGB_DECLARE)
#undef MW_XGB_DECLARE

#ifdef __cplusplus
}
#endif
