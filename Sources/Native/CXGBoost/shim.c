#include "CXGBoost.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define TABLE_FIELD(result, name, parameters, arguments) result(*name) parameters;
static struct {
    MW_XGB_FUNCTIONS(TABLE_FIELD)
} found_functions;

// Written once, before any thread is told that the library is open.
static char missing[512];

static void keep_missing(void) {
    const char *reason = dlerror();
    snprintf(missing, sizeof missing, "%s", reason ? reason : "the loader gives no reason");
}

// The loader looks where this binary was linked to look (../lib beside it, then the package's own folder), then where the
// system keeps libraries.
static void load(void) {
    void *library = dlopen("libxgboost.so", RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
        keep_missing();
        return;
    }
#define FIND(result, name, parameters, arguments)                                                                      \
    if (!(*(void **)&found_functions.name = dlsym(library, #name))) {                                                  \
        keep_missing();                                                                                                \
        return;                                                                                                        \
    }
    MW_XGB_FUNCTIONS(FIND)
    int major, minor, patch;
    XGBoostVersion(&major, &minor, &patch);
    if (major != 3 || minor != 2) {
        snprintf(missing, sizeof missing, "libxgboost.so is release %d.%d.%d, not 3.2", major, minor, patch);
        return;
    }
    // What it would print goes nowhere; what fails is told by its return code.
    XGBSetGlobalConfig("{\"verbosity\": 0}");
}

const char *mw_xgb_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return missing[0] ? missing : NULL;
}

#define FORWARD(result, name, parameters, arguments)                                                                   \
    result name parameters { return found_functions.name arguments; }
MW_XGB_FUNCTIONS(FORWARD)
