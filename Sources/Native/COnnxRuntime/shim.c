#include "COnnxRuntime.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

// The release whose headers the slots were read from, and the version of the table it offers.
static const char release[] = "1.31.1";
enum { TABLE_VERSION = 18 };

struct api_base {
    void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
};

// Written once, before any thread is told that the library is open.
static void *const *table;
static OrtEnv environment;
static char missing[512];

static void load(void) {
    // Where this binary was linked to look (../lib beside it, then the package's own folder), then where the system keeps
    // libraries.
    void *library = dlopen("libonnxruntime.so", RTLD_LAZY | RTLD_LOCAL);
    const struct api_base *(*base)(void) = NULL;
    if (library) *(void **)&base = dlsym(library, "OrtGetApiBase");
    if (!base) {
        const char *reason = dlerror();
        snprintf(missing, sizeof missing, "%s", reason ? reason : "the loader gives no reason");
        return;
    }
    const char *found = base()->get_version();
    if (strcmp(found, release) != 0) {
        snprintf(missing, sizeof missing, "libonnxruntime.so is release %s, not %s", found, release);
        return;
    }
    table = base()->get_api(TABLE_VERSION);
    if (!table) {
        snprintf(missing, sizeof missing, "libonnxruntime.so offers no table of version %d", TABLE_VERSION);
        return;
    }
    // Only what fails is told, and that by a status: nothing is written to standard error.
    OrtStatus status = OrtCreateEnv(MW_ORT_LOG_FATAL, "modelworks", &environment);
    if (status) {
        snprintf(missing, sizeof missing, "%s", OrtGetErrorMessage(status));
        OrtReleaseStatus(status);
    }
}

const char *mw_ort_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return missing[0] ? missing : NULL;
}

const char *mw_ort_release(void) { return release; }

OrtEnv mw_ort_env(void) { return environment; }

#define FORWARD(slot, result, name, parameters, arguments)                                                             \
    result name parameters { return ((result(*) parameters)table[slot]) arguments; }
MW_ORT_FUNCTIONS(FORWARD)
