// LightGBM and XGBoost: rows of numbers in, rows of numbers out.
#include <cstring>

#include "CLightGBM.h"
#include "CXGBoost.h"
#include "model.hpp"

namespace edge {

namespace {
[[noreturn]] void refuse(const char *library, const char *words) {
    std::string text = words ? words : "no reason given";
    // XGBoost adds the addresses of its own code.
    text = text.substr(0, text.find("Stack trace"));
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    throw refusal{std::string(library) + " says: " + text, "Check the row, or export the model again"};
}

/// What both have in common: the one input `[-1, features]` and the one output `[-1, outputs]`.
class forest : public model {
  public:
    forest(const manifest &manifest)
        : features(static_cast<size_t>(manifest.inputs.at(0).shape.at(1))),
          outputs(static_cast<size_t>(manifest.outputs.at(0).shape.at(1))) {}

    void run(const std::vector<tensor> &inputs, const std::vector<size_t> &wanted,
             std::vector<tensor> &answers) override {
        doubles_of(inputs.at(0), values);
        answers.resize(wanted.size());
        for (tensor &answer : answers) {
            answer.shape = {inputs[0].shape.at(0), static_cast<int64_t>(outputs)};
            predict(static_cast<size_t>(inputs[0].shape[0]), answer);
        }
    }

  protected:
    virtual void predict(size_t rows, tensor &answer) = 0;

    const size_t features;
    const size_t outputs;
    std::vector<double> values;
};

class lightgbm_forest final : public forest {
  public:
    lightgbm_forest(const manifest &manifest) : forest(manifest) {
        mw_lgbm_capture_log();
        std::string text = manifest.contents();
        int iterations, classes;
        check(LGBM_BoosterLoadModelFromString(text.c_str(), &iterations, &booster));
        int found;
        check(LGBM_BoosterGetNumFeature(booster, &found));
        check(LGBM_BoosterGetNumClasses(booster, &classes));
        if (static_cast<size_t>(found) != features || static_cast<size_t>(classes) != outputs)
            refuse("LightGBM", "the model has other features or classes than manifest.json tells");
        check(LGBM_BoosterPredictForMatSingleRowFastInit(booster, MW_LGBM_PREDICT_NORMAL, 0, -1, MW_LGBM_FLOAT64, found,
                                                         "num_threads=1 verbosity=0", &fast));
    }

    ~lightgbm_forest() override {
        if (fast) LGBM_FastConfigFree(fast);
        if (booster) LGBM_BoosterFree(booster);
    }

  protected:
    void predict(size_t rows, tensor &answer) override {
        answer.type = MW_FP64;
        results.resize(rows * outputs);
        int64_t written;
        for (size_t row = 0; row < rows; row++)
            check(LGBM_BoosterPredictForMatSingleRowFast(fast, values.data() + row * features, &written,
                                                         results.data() + row * outputs));
        answer.bytes.resize(results.size() * sizeof(double));
        std::memcpy(answer.bytes.data(), results.data(), answer.bytes.size());
    }

  private:
    static void check(int status) {
        if (status) refuse("LightGBM", LGBM_GetLastError());
    }

    LGBMBooster booster = nullptr;
    LGBMFast fast = nullptr;
    std::vector<double> results;
};

class xgboost_forest final : public forest {
  public:
    xgboost_forest(const manifest &manifest) : forest(manifest) {
        std::string bytes = manifest.contents();
        check(XGBoosterCreate(nullptr, 0, &booster));
        check(XGBoosterLoadModelFromBuffer(booster, bytes.data(), bytes.size()));
        check(XGBoosterSetParam(booster, "nthread", "1"));
        bst_ulong found;
        check(XGBoosterGetNumFeature(booster, &found));
        if (found != features) refuse("XGBoost", "the model has other features than manifest.json tells");
        // A linear model has no way of predicting in place.
        values.assign(features, 0);
        const bst_ulong *shape;
        bst_ulong rank;
        const float *result;
        in_place = XGBoosterPredictFromDense(booster, array(1).c_str(), settings, nullptr, &shape, &rank, &result) == 0;
    }

    ~xgboost_forest() override {
        if (booster) XGBoosterFree(booster);
    }

  protected:
    void predict(size_t rows, tensor &answer) override {
        answer.type = MW_FP32;
        answer.bytes.clear();
        if (rows == 0) return;
        const bst_ulong *shape = nullptr;
        bst_ulong rank = 0;
        const float *result = nullptr;
        if (in_place) {
            check(XGBoosterPredictFromDense(booster, array(rows).c_str(), settings, nullptr, &shape, &rank, &result));
        } else {
            XGMatrix made = nullptr;
            check(XGDMatrixCreateFromDense(array(rows).c_str(), R"({"missing": NaN, "nthread": 1})", &made));
            std::unique_ptr<mw_xgb_matrix, int (*)(XGMatrix)> matrix(made, XGDMatrixFree);
            check(XGBoosterPredictFromDMatrix(booster, made, settings, &shape, &rank, &result));
        }
        size_t count = 1;
        for (bst_ulong index = 0; index < rank; index++) count *= shape[index];
        if (count != rows * outputs) refuse("XGBoost", "another number of answers came back than the manifest tells");
        answer.bytes.resize(count * sizeof(float));
        std::memcpy(answer.bytes.data(), result, answer.bytes.size());
    }

  private:
    static constexpr const char *settings =
        R"({"type": 0, "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": true, "cache_id": 0, "missing": NaN})";

    /// NumPy's array interface of the values.
    std::string array(size_t rows) const {
        return "{\"data\": [" + std::to_string(reinterpret_cast<uintptr_t>(values.data())) + ", true], \"shape\": [" +
               std::to_string(rows) + ", " + std::to_string(features) + "], \"typestr\": \"<f8\", \"version\": 3}";
    }

    static void check(int status) {
        if (status) refuse("XGBoost", XGBGetLastError());
    }

    XGBooster booster = nullptr;
    bool in_place = true;
};

template <typename Forest> std::unique_ptr<model> opened(const manifest &manifest) {
    try {
        return std::make_unique<Forest>(manifest);
    } catch (const refusal &refused) {
        throw failure{not_loaded, "the model can not be loaded: " + refused.message, "Export it again"};
    }
}
}  // namespace

std::unique_ptr<model> open_lightgbm(const manifest &manifest) { return opened<lightgbm_forest>(manifest); }
std::unique_ptr<model> open_xgboost(const manifest &manifest) { return opened<xgboost_forest>(manifest); }

}  // namespace edge
