#pragma once
#include <string>
#include <vector>

#include "tensor.hpp"

namespace edge {

/// What `modelworks export edge` wrote down of the model in this folder.
struct manifest {
    /// A file of the model, and what it has to be.
    struct file {
        std::string name;
        std::string sha256;
    };

    std::string folder;
    std::string name;
    std::string version;
    /// `onnxruntime`, `lightgbm` or `xgboost`.
    std::string runtime;
    /// The model; others are files its weights are in.
    std::string model;
    std::vector<file> files;
    std::vector<spec> inputs;
    std::vector<spec> outputs;

    /// Reads `manifest.json` of a folder.
    /// - Throws: `failure` where it is not there, or of another format.
    static manifest read(const std::string &folder);
    /// The bytes of a file of the model, checked.
    /// - Throws: `failure` where they are not those that were exported.
    std::string contents(const file &file) const;
    /// The same of the model itself.
    std::string contents() const;
};

/// The folder this program lies in.
std::string own_folder();

}  // namespace edge
