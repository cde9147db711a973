#include "CArrow.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define TABLE_FIELD(result, name, parameters, arguments) result(*name) parameters;
static struct {
    MW_ARROW_FUNCTIONS(TABLE_FIELD)
} found_functions;

// Written once, before any thread is told that the library is open.
static char missing[512];

static void keep_missing(void) {
    const char *reason = dlerror();
    snprintf(missing, sizeof missing, "%s", reason ? reason : "the loader gives no reason");
}

// The loader looks where it looks for DuckDB's library.
static void load(void) {
    void *library = dlopen("libmwarrow.so", RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
        keep_missing();
        return;
    }
#define FIND(result, name, parameters, arguments)                                                                      \
    if (!(*(void **)&found_functions.name = dlsym(library, #name))) {                                                  \
        keep_missing();                                                                                                \
        return;                                                                                                        \
    }
    MW_ARROW_FUNCTIONS(FIND)
}

const char *mw_arrow_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return missing[0] ? missing : NULL;
}

#define FORWARD(result, name, parameters, arguments)                                                                   \
    result name parameters { return found_functions.name arguments; }
MW_ARROW_FUNCTIONS(FORWARD)
