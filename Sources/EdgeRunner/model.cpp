#include "model.hpp"

#include <dlfcn.h>
#include <link.h>

#include "CLightGBM.h"
#include "COnnxRuntime.h"
#include "CXGBoost.h"

namespace edge {

namespace {
struct runtime_entry {
    const char *name;
    const char *library;
    const char *(*load)();
    std::unique_ptr<model> (*open)(const manifest &);
};

constexpr runtime_entry runtimes[] = {
    {"onnxruntime", "libonnxruntime.so", mw_ort_load, open_onnx},
    {"lightgbm", "lib_lightgbm.so", mw_lgbm_load, open_lightgbm},
    {"xgboost", "libxgboost.so", mw_xgb_load, open_xgboost},
};

const runtime_entry &find(const std::string &name) {
    for (const runtime_entry &entry : runtimes)
        if (name == entry.name) return entry;
    throw failure{not_loaded, "there is no runtime '" + name + "'", "Use onnxruntime, lightgbm or xgboost"};
}
}  // namespace

std::unique_ptr<model> model::open(const manifest &manifest) {
    open_library(manifest.folder + "/lib", manifest.runtime);
    open_runtime(manifest.runtime);
    return find(manifest.runtime).open(manifest);
}

void open_runtime(const std::string &name) {
    if (const char *reason = find(name).load())
        throw failure{not_loaded, "the library of " + name + " can not be used: " + reason,
                      "Copy the folder again, with all of its lib/"};
}

void open_library(const std::string &folder, const std::string &name) {
    std::string path = folder + "/" + find(name).library;
    // Whoever opens the library by its plain name later gets this one.
    if (!dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL)) {
        const char *reason = dlerror();
        throw failure{not_loaded, std::string("the library of ") + name + " can not be opened: " + (reason ? reason : path),
                      "Copy the folder again, with all of its lib/"};
    }
}

std::vector<std::string> open_libraries() {
    std::vector<std::string> paths;
    dl_iterate_phdr(
        [](dl_phdr_info *info, size_t, void *found) {
            if (info->dlpi_name && info->dlpi_name[0] == '/')
                static_cast<std::vector<std::string> *>(found)->emplace_back(info->dlpi_name);
            return 0;
        },
        &paths);
    return paths;
}

}  // namespace edge
