#pragma once
#include <memory>
#include <string>
#include <vector>

#include "manifest.hpp"

namespace edge {

/// A loaded model on one thread.
class model {
  public:
    virtual ~model() = default;

    /// Runs the model.
    /// - Parameters: `inputs`: one for each of the manifest's, checked; `wanted`: indices of its outputs; `answers`: gets
    ///   one for each of those.
    /// - Throws: `refusal` where the runtime does not take them.
    virtual void run(const std::vector<tensor> &inputs, const std::vector<size_t> &wanted,
                     std::vector<tensor> &answers) = 0;

    /// Loads the model of a folder.
    /// - Throws: `failure`.
    static std::unique_ptr<model> open(const manifest &manifest);
};

std::unique_ptr<model> open_onnx(const manifest &manifest);
std::unique_ptr<model> open_lightgbm(const manifest &manifest);
std::unique_ptr<model> open_xgboost(const manifest &manifest);

/// The runtime's library, as its shim opens it.
/// - Throws: `failure` for a runtime that is none, or that can not be opened.
void open_runtime(const std::string &runtime);
/// Opens the copy of a runtime's library that lies in a folder, before a shim looks for it elsewhere.
/// - Throws: `failure` where it is not there or can not be opened.
void open_library(const std::string &folder, const std::string &runtime);
/// The paths of all libraries of this process.
std::vector<std::string> open_libraries();

}  // namespace edge
